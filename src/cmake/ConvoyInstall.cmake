# cmake --install: a prefix that may be moved and may be read-only. The program finds its CUDA module and its recipes
# relative to its own place (device/cuda_module, settings/recipes); libraries stay where the build found them.
#   bin/convoy   lib/convoy/libconvoy_cuda.so   share/convoy/{configs,launch,cluster}   share/doc/convoy
#   share/man/man1   share/bash-completion/completions/convoy   share/zsh/site-functions/_convoy

set_target_properties(convoy PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
install(TARGETS convoy RUNTIME DESTINATION bin)
if(TARGET convoy_cuda)
  set_target_properties(convoy_cuda PROPERTIES INSTALL_RPATH_USE_LINK_PATH ON)
  install(TARGETS convoy_cuda LIBRARY DESTINATION lib/convoy)
endif()
install(DIRECTORY configs DESTINATION share/convoy)
install(PROGRAMS launch/local launch/mpirun DESTINATION share/convoy/launch)
install(DIRECTORY launch/lib DESTINATION share/convoy/launch USE_SOURCE_PERMISSIONS)
install(FILES cluster/train.sbatch cluster/pack.sbatch cluster/evaluate.sbatch DESTINATION share/convoy/cluster)
install(FILES README.md LICENSE DESTINATION share/doc/convoy)
install(FILES cluster/README.md DESTINATION share/doc/convoy/cluster)

# The program prints its own man pages and completion scripts. bash looks a script up by the name of the command.
install(CODE "
  set(share \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/share\")
  set(bash \"\${share}/bash-completion/completions\")
  set(zsh \"\${share}/zsh/site-functions\")
  file(MAKE_DIRECTORY \"\${bash}\" \"\${zsh}\")
  message(STATUS \"Installing: man pages and completion scripts in \${share}\")
  execute_process(COMMAND \"$<TARGET_FILE:convoy>\" man --output \"\${share}/man/man1\" COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND \"$<TARGET_FILE:convoy>\" completion bash OUTPUT_FILE \"\${bash}/convoy\" COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND \"$<TARGET_FILE:convoy>\" completion zsh OUTPUT_FILE \"\${zsh}/_convoy\" COMMAND_ERROR_IS_FATAL ANY)
")
