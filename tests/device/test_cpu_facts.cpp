#include <gtest/gtest.h>
#include <sched.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "device/cpu/cpu_facts.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

// The words of the first "flags" line of /proc/cpuinfo: what the kernel says this CPU can do.
std::string kernel_flags() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("flags", 0) == 0) return line + " ";
  }
  return {};
}

bool has_flag(const std::string& flags, const std::string& name) {
  return flags.find(" " + name + " ") != std::string::npos;
}

TEST(CpuFacts, CoresAreThoseOfTheAffinityMask) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  EXPECT_EQ(usable_cores(), CPU_COUNT(&before));

  int first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  const int cores = usable_cores();
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
  EXPECT_EQ(cores, 1);
}

void write(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

TEST(CpuFacts, TheQuotaIsTheLeastOfTheControlGroupAndThoseAroundIt) {
  const TemporaryFolder root;
  EXPECT_EQ(cpu_quota(root.path()), std::nullopt) << "no control groups at all";
  const std::filesystem::path groups = root / "sys/fs/cgroup";
  write(root / "proc/self/cgroup", "0::/pod/container\n");
  EXPECT_EQ(cpu_quota(root.path()), std::nullopt);
  write(groups / "pod/container/cpu.max", "max 100000\n");
  EXPECT_EQ(cpu_quota(root.path()), std::nullopt);
  write(groups / "pod/cpu.max", "250000 100000\n");
  EXPECT_EQ(cpu_quota(root.path()), 2.5);
  write(groups / "pod/container/cpu.max", "50000 100000\n");
  EXPECT_EQ(cpu_quota(root.path()), 0.5);
}

// Docker without a name space for control groups: the path is the host's, the files are the container's.
TEST(CpuFacts, TheQuotaOfVersion1IsFoundAtTheTopOfTheTree) {
  const TemporaryFolder root;
  write(root / "proc/self/cgroup",
        "5:memory:/docker/1f\n4:cpu,cpuacct:/docker/1f\n1:name=systemd:/docker/1f\n");
  const std::filesystem::path tree = root / "sys/fs/cgroup/cpu,cpuacct";
  write(tree / "cpu.cfs_period_us", "100000\n");
  write(tree / "cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(cpu_quota(root.path()), std::nullopt);
  write(tree / "cpu.cfs_quota_us", "300000\n");
  EXPECT_EQ(cpu_quota(root.path()), 3);
}

TEST(CpuFacts, ThreadsStayWithinTheQuotaAndTheAffinityMask) {
  const TemporaryFolder root;
  EXPECT_EQ(concurrent_threads(root.path()), usable_cores()) << "no quota";
  write(root / "proc/self/cgroup", "0::/\n");
  const std::filesystem::path quota = root / "sys/fs/cgroup/cpu.max";
  for (const char* text : {"100000 100000\n", "190000 100000\n", "20000 100000\n"}) {
    write(quota, text);
    EXPECT_EQ(concurrent_threads(root.path()), 1) << text;
  }
  write(quota, "1000000000 1000\n");
  EXPECT_EQ(concurrent_threads(root.path()), usable_cores()) << "a quota beyond the cores";
}

TEST(CpuFacts, VectorInstructionsAgreeWithTheKernel) {
  const std::string flags = kernel_flags();
  if (flags.empty()) GTEST_SKIP() << "/proc/cpuinfo has no flags on this architecture";
  const VectorInstructions have = vector_instructions();
  EXPECT_EQ(have.avx2, has_flag(flags, "avx2"));
  EXPECT_EQ(have.avx512, has_flag(flags, "avx512f") && has_flag(flags, "avx512bw") &&
                             has_flag(flags, "avx512dq") && has_flag(flags, "avx512vl"));
  EXPECT_EQ(have.avx512_bf16, have.avx512 && has_flag(flags, "avx512_bf16"));
}

TEST(CpuFacts, NamesListWhatIsThere) {
  const VectorInstructions have = vector_instructions();
  const std::string names = vector_instruction_names();
  EXPECT_FALSE(names.empty());
  EXPECT_EQ(names.find("AVX-512") != std::string::npos, have.avx512);
  EXPECT_EQ(names.find("AVX512-BF16") != std::string::npos, have.avx512_bf16);
}

}  // namespace
}  // namespace convoy::test
