// Stands in for the CUDA module: only says by which version of Convoy it was built.
extern "C" const char* convoy_cuda_version() {
  return STUB_VERSION;
}

#ifdef STUB_NEEDS_LIBRARY
extern "C" int stub_library_call();
extern "C" int convoy_uses_the_library() {
  return stub_library_call();
}
#endif
