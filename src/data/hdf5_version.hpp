// Version of the HDF5 library in use, for run.json and `convoy doctor`.
#pragma once

#include <string>

namespace convoy {

std::string hdf5_version();  // "1.10.8"

}  // namespace convoy
