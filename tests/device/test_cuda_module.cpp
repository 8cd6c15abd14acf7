// How the CUDA module is found and opened, on any machine: the words for everything that can be amiss.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/error.hpp"
#include "device/cuda_devices.hpp"
#include "device/cuda_module.hpp"
#include "support/built_file.hpp"
#include "support/temporary_folder.hpp"

namespace convoy::test {
namespace {

// CONVOY_CUDA_MODULE as a test wants it, and back again.
class ModuleVariable {
 public:
  explicit ModuleVariable(const std::string& file) {
    if (const char* before = std::getenv(name)) before_ = before;
    ::setenv(name, file.c_str(), 1);
  }
  ~ModuleVariable() {
    if (before_.empty())
      ::unsetenv(name);
    else
      ::setenv(name, before_.c_str(), 1);
  }
  ModuleVariable(const ModuleVariable&) = delete;
  ModuleVariable& operator=(const ModuleVariable&) = delete;

 private:
  static constexpr const char* name = "CONVOY_CUDA_MODULE";
  std::string before_;
};

void expect_words(const std::string& text, const std::vector<std::string>& words) {
  for (const std::string& word : words) EXPECT_NE(text.find(word), std::string::npos) << word << "\n" << text;
}

TEST(CudaModule, AFileThatIsNotThereIsNamed) {
  const ModuleVariable variable("/nowhere/libconvoy_cuda.so");
  const CudaModule module;
  expect_words(module.refusal(), {"CONVOY_CUDA_MODULE", "/nowhere/libconvoy_cuda.so"});
  EXPECT_THROW(module.entry<void()>("convoy_list_cuda_devices"), Error);
  EXPECT_EQ(find_cuda_devices().refusal, module.refusal());
}

TEST(CudaModule, WithoutTheVariableItLooksBesideTheProgram) {
  const ModuleVariable variable("");
  const CudaModule module;  // nothing lies beside this test
  const std::filesystem::path folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  expect_words(module.refusal(), {(folder / "libconvoy_cuda.so").string(),
                                  (folder.parent_path() / "lib/convoy/libconvoy_cuda.so").string()});
}

TEST(CudaModule, AMissingLibraryIsNamedWithItsOrigin) {
  const ModuleVariable variable(built_file(STUB_WITHOUT_LIBRARY));
  const CudaModule module;
  expect_words(module.refusal(), {"needs libnccl-stub.so", "NCCL 2", "libnccl2", "LD_LIBRARY_PATH"});
}

TEST(CudaModule, AnotherVersionOfConvoyIsRefused) {
  const ModuleVariable variable(built_file(STUB_OF_ANOTHER_VERSION));
  const CudaModule module;
  expect_words(module.refusal(), {"another version of Convoy", "0.0.0-other"});
}

TEST(CudaModule, ADamagedFileIsRefused) {
  const TemporaryFolder folder;
  std::ofstream(folder / "module.so") << "not a module\n";
  const ModuleVariable variable((folder / "module.so").string());
  expect_words(CudaModule().refusal(), {"module.so", "cannot be loaded"});
}

TEST(CudaModule, AnOpenModuleThatLacksAnEntryPointIsABug) {
  const ModuleVariable variable(built_file(STUB_MODULE));
  const CudaModule module;
  EXPECT_EQ(module.refusal(), "");
  try {
    module.entry<void()>("convoy_nonsense");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), ExitCode::bug);
    expect_words(error.what(), {"convoy_nonsense"});
  }
  expect_words(find_cuda_devices().refusal, {"convoy_list_cuda_devices"});
}

TEST(CudaModule, TheLoadersReasonsInPlainWords) {
  const std::string file = "/opt/convoy/libconvoy_cuda.so";
  const std::pair<const char*, std::vector<std::string>> cases[] = {
      {"libcudart.so.13: cannot open shared object file: No such file or directory",
       {"needs libcudart.so.13", "CUDA runtime"}},
      {"libcudnn.so.9: cannot open shared object file: No such file or directory", {"cuDNN 9"}},
      {"libcublasLt.so.13: cannot open shared object file: No such file or directory", {"cuBLAS"}},
      {"libfmt.so.9: cannot open shared object file: No such file or directory", {"libfmt.so.9"}},
      {"/usr/lib/libnccl.so.2: undefined symbol: ncclCommAbort", {"another version", "ncclCommAbort"}},
      {"/lib/libc.so.6: version `GLIBC_2.38' not found (required by x)", {"another version", "GLIBC_2.38"}},
      {"/opt/convoy/libconvoy_cuda.so: cannot open shared object file: Permission denied",
       {"cannot be read", "Permission denied"}},
  };
  for (const auto& [reason, words] : cases) expect_words(module_loading_refusal(file, reason), words);
}

// The module of this build, where there is one: with a device or without, with words for the latter.
TEST(CudaModule, OfThisBuild) {
  if (std::getenv("CONVOY_CUDA_MODULE") == nullptr) GTEST_SKIP() << "this build has no CUDA module";
  ASSERT_EQ(CudaModule().refusal(), "");
  const CudaDevices found = find_cuda_devices();
  expect_words(found.versions, {"CUDA runtime", "cuDNN 9.", "cuBLAS", "NCCL 2."});
  expect_words(found.driver, {"driver"});
  EXPECT_EQ(found.devices.empty(), !found.refusal.empty());
  if (found.devices.empty()) {
    expect_words(found.refusal, {"driver"});  // absent, too old, or offering no GPU
    return;
  }
  for (const CudaDevice& device : found.devices) {
    EXPECT_EQ(device.uuid.size(), 40u) << device.uuid;
    EXPECT_EQ(device.uuid.rfind("GPU-", 0), 0u);
    EXPECT_GT(device.memory, 0);
    EXPECT_EQ(device.free_memory, -1);
    EXPECT_GE(device.major, 7);
  }
}

}  // namespace
}  // namespace convoy::test
