#include "cli/program.hpp"

int main(int argc, char** argv) {
  return static_cast<int>(convoy::run_program(&argc, &argv));
}
