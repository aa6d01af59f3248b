# The simulator runs the aggregator shell's own handling of payloads on its virtual store.
get_property(sim_targets DIRECTORY PROPERTY BUILDSYSTEM_TARGETS)
list(FILTER sim_targets INCLUDE REGEX "^sim_")
foreach(target ${sim_targets})
  target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/aggregator/shell_payload.c)
endforeach()

# sim_plant(NAME SOURCE FROM TO SEEDS SYMPTOM): a program whose core has a fault in a copy of SOURCE, made
# by replacing FROM, which must be there exactly once; it passes when a failure that says SYMPTOM shows
# within SEEDS seeds.
file(GLOB sim_support CONFIGURE_DEPENDS sim/support_*.c)
function(sim_plant name source from to seeds symptom)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/planted/${name})
  get_filename_component(file ${source} NAME)
  file(CONFIGURE OUTPUT ${folder}/plant.cmake @ONLY CONTENT
"set(from [==[${from}]==])
set(to [==[${to}]==])
file(READ [==[${PROJECT_SOURCE_DIR}/${source}]==] text)
string(FIND \"\${text}\" \"\${from}\" first)
string(FIND \"\${text}\" \"\${from}\" last REVERSE)
if(first EQUAL -1 OR NOT first EQUAL last)
  message(FATAL_ERROR \"${source}: the place of the planted fault '${name}' is not there once: \${from}\")
endif()
string(REPLACE \"\${from}\" \"\${to}\" text \"\${text}\")
file(WRITE [==[${folder}/${file}]==] \"\${text}\")
")
  add_custom_command(OUTPUT ${folder}/${file} COMMAND ${CMAKE_COMMAND} -P ${folder}/plant.cmake
                     DEPENDS ${PROJECT_SOURCE_DIR}/${source} ${folder}/plant.cmake VERBATIM)
  # Before the libraries: the linker then has no need of their own, faultless object.
  add_executable(sim_planted_${name} sim/planted.c ${sim_support} ${folder}/${file}
                 ${PROJECT_SOURCE_DIR}/aggregator/shell_payload.c)
  target_include_directories(sim_planted_${name} PRIVATE sim)
  target_compile_definitions(sim_planted_${name} PRIVATE PLANTED_SEEDS=${seeds}u PLANTED_SYMPTOM="${symptom}")
  target_link_libraries(sim_planted_${name} PRIVATE gt_worker gt_broker gt_aggregator gt_rollup gt_disk gt_proto
                        PkgConfig::CRITERION m)
  set_target_properties(sim_planted_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME sim.planted_${name} COMMAND sim_planted_${name})
  set_tests_properties(sim.planted_${name} PROPERTIES LABELS sim TIMEOUT 900)
endfunction()

sim_plant(stale_done broker/broker.c
          "if (ledger_is_open(ledger) && !add_done(step, ledger, blocks)) {"
          "if (lease == NULL) ledger->done.total += blocks.count;
    if (ledger_is_open(ledger) && !add_done(step, ledger, blocks)) {"
          400 "the broker's state is not sound")
sim_plant(whole_lease broker/broker.c
          "if (ledger_is_open(ledger) && !add_done(step, ledger, blocks)) {"
          "if (ledger_is_open(ledger) && !add_done(step, ledger, lease != NULL ? lease->blocks : blocks)) {"
          100 "which the aggregator does not hold")
sim_plant(unkept_parked broker/broker.c "if (ledger->parked_changed) emit(step, BROKER_KEEP_PARKED)"
          "if (ledger->parked_changed && ledger->parked_count > 0) emit(step, BROKER_KEEP_PARKED)"
          4000 "parked blocks and has")
sim_plant(old_tokens broker/lease.c "(seed & SERIAL_FIRST_MASK) + 1" "(seed & 0) + 1" 100 "is lent twice")
sim_plant(never_lost broker/ledger.c "const bool lost = waited && " "const bool lost = waited && now_ms == 0 && "
          400 "no end in sight")
sim_plant(early_folded aggregator/aggregator.c "    emit(step, EFFECT_COMMIT);"
          "    send_answers(step);
    emit(step, EFFECT_COMMIT);"
          20 "called folded, and are not on disk")
sim_plant(forgotten_node aggregator/aggregator.c "if (chain.absorbed[at].stored) emit_node"
          "if (chain.absorbed[at].stored && place.index % 5 != 3) emit_node"
          20 "are held")
sim_plant(early_done worker/session.c "if (part->state == PART_READY || late) send_part(step, part);"
          "if (part->state == PART_READY) {
            struct session_effect *early = send(step, MESSAGE_DONE);
            early->token = part->token;
            early->digest = part->sweep;
            early->blocks = blocks_of(part);
        }
        if (part->state == PART_READY || late) send_part(step, part);"
          20 "as done, which are not on disk")
sim_plant(never_copied broker/lending.c "if (twin == NULL) return copy(step, lease);" "if (twin == NULL) return false;"
          200 "no end in sight")
sim_plant(forgotten_twin broker/lending.c
          "if (twin != NULL && range_common(blocks, twin->blocks).count > 0) kept = range_common(blocks, twin->blocks);"
          "(void)twin;"
          200 "the broker's state is not sound")
sim_plant(unchecked aggregator/fold.c "&& (place.index > 1 || place.level < fold->ceiling);"
          "&& (place.level < NODE_LEVEL_MAX || fold->stopped);"
          40 "the aggregator's state is not sound")
sim_plant(crossed aggregator/aggregator.c "bool ruled = same_rule(&entry->facts.rule, &from->facts.rule), better = false;"
          "bool ruled = same_rule(&entry->facts.rule, &entry->facts.rule), better = false;"
          400 "differs from that of the undisturbed run")
