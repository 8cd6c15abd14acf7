// A library that the stand-in for the CUDA module is linked with and that is not found when it is loaded.
extern "C" int stub_library_call() {
  return 1;
}
