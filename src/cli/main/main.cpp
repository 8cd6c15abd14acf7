#include "cli/process_setup.hpp"
#include "cli/program.hpp"

int main(int argc, char** argv) {
  convoy::prepare_process();
  return static_cast<int>(convoy::run_program(&argc, &argv));
}
