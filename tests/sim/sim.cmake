# The simulator runs the aggregator shell's own handling of payloads on its virtual store.
get_property(sim_targets DIRECTORY PROPERTY BUILDSYSTEM_TARGETS)
list(FILTER sim_targets INCLUDE REGEX "^sim_")
foreach(target ${sim_targets})
  target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/aggregator/shell_payload.c)
endforeach()
