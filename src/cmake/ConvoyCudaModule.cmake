# The CUDA part: convoy_cuda_parts, a library for tests that look inside, and convoy_cuda, the module that holds it.

set(sources "")
foreach(folder device/cuda engine/cuda comm/nccl)
  file(GLOB more CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cpp
    ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cu)
  list(APPEND sources ${more})
endforeach()
# Plans and checks are plain arithmetic that both engines use; the module cannot take them from the program.
foreach(name batch_checks layer_plan memory_plan tuning/tuner)
  list(APPEND sources ${CMAKE_CURRENT_SOURCE_DIR}/engine/${name}.cpp)
endforeach()
add_library(convoy_cuda_parts STATIC ${sources})
set_target_properties(convoy_cuda_parts PROPERTIES POSITION_INDEPENDENT_CODE ON)
target_include_directories(convoy_cuda_parts PUBLIC ${PROJECT_SOURCE_DIR}/src)
target_include_directories(convoy_cuda_parts SYSTEM PUBLIC ${convoy_nvtx_INCLUDE})
target_link_libraries(convoy_cuda_parts
  PUBLIC convoy_base convoy_model convoy_device CUDA::cudart CUDA::cublasLt dependency::cudnn dependency::nccl
    ${CMAKE_DL_LIBS}
  PRIVATE convoy_flags)
# RUNPATH instead of RPATH: the libraries that LD_LIBRARY_PATH (a cluster's modules) names come first.
target_link_options(convoy_cuda_parts INTERFACE -Wl,--enable-new-dtags)

# In the program's folder, where the program looks for it. Only the entry points are visible: symbols of the module's copy of
# base/ and model/ must not replace the program's.
add_library(convoy_cuda MODULE ${CMAKE_CURRENT_SOURCE_DIR}/device/cuda/module/module_version.cpp)
target_compile_definitions(convoy_cuda PRIVATE CONVOY_VERSION="${PROJECT_VERSION}")
set_target_properties(convoy_cuda PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR} LINKER_LANGUAGE CXX)
set(entry_points ${CMAKE_CURRENT_LIST_DIR}/convoy_cuda.map)
target_link_options(convoy_cuda PRIVATE -Wl,--version-script=${entry_points} -Wl,-z,defs)
set_target_properties(convoy_cuda PROPERTIES LINK_DEPENDS ${entry_points})
target_link_libraries(convoy_cuda PRIVATE convoy_flags $<LINK_LIBRARY:WHOLE_ARCHIVE,convoy_cuda_parts>)
