/* What each command does; client/main.c lists them. */
#pragma once

#include "options.h"

enum exit_status command_run(const struct options *options);
enum exit_status command_check(const struct options *options);
enum exit_status command_verify(const struct options *options);
enum exit_status command_validate(const struct options *options);
enum exit_status command_parameters(const struct options *options);
enum exit_status command_submit(const struct options *options);
enum exit_status command_status(const struct options *options);
enum exit_status command_cancel(const struct options *options);
enum exit_status command_pause(const struct options *options);
enum exit_status command_resume(const struct options *options);
enum exit_status command_retry(const struct options *options);
enum exit_status command_explain(const struct options *options);
enum exit_status command_watch(const struct options *options);
enum exit_status command_workers(const struct options *options);
enum exit_status command_drain(const struct options *options);
enum exit_status command_keygen(const struct options *options);
enum exit_status command_results(const struct options *options);
