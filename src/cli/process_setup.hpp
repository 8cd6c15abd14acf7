// Settings of the process that must be made before anything is opened. Used by main.
#pragma once

namespace convoy {

// Opens standard input, output and error where the parent has closed them (`>&-`, some daemons and job
// managers): otherwise the next file or socket would take the number, and printed text would go into it.
// Printing to a standard output opened in this way fails, as it should; messages are dropped.
// Raises the limit on open files as far as the user may: a store has a file for each gigabyte. A write beyond
// the limit on the size of files (`ulimit -f`) fails like one on a full disk instead of ending the process.
void prepare_process() noexcept;

}  // namespace convoy
