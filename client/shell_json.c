#include "shell_json.h"

#include <stdio.h>

enum exit_status json_print(json_t *value, unsigned digits)
{
    const bool sound = value != NULL && json_dumpf(value, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(digits)) == 0 &&
                       putchar('\n') != EOF;
    json_decref(value);
    if (sound) return STATUS_DONE;
    if (ferror(stdout) == 0) fprintf(stderr, "goldthread: out of memory\n"); /* else main() says what is wrong */
    return STATUS_FAILED;
}
