// Loaded into the programs that tests/sanitizers/run checks: libraries that are opened stay to the end.
// Otherwise LeakSanitizer, which looks at the end, finds memory of Open MPI's modules but not their names,
// and ThreadSanitizer gives up when a library is unloaded that its suppressions name.
extern "C" int dlclose(void* /*library*/) noexcept {
  return 0;
}
