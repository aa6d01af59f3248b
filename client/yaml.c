#include "yaml.h"

#include <assert.h>
#include <libfyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "utf8.h"

struct yaml {
    size_t count;
    struct yaml_node *nodes; /* [YAML_NODES_MAX]; nodes[0] is the root */
};

/* A container that is being filled. */
struct level {
    struct yaml_node *node, *last;
    size_t children;
};

struct reader {
    struct yaml *yaml;
    struct yaml_fault *fault;
    bool failed;
    size_t depth, documents;
    struct level levels[YAML_DEPTH_MAX];
};

static void __attribute__((format(printf, 4, 5)))
fail(struct reader *reader, uint32_t line, uint32_t column, const char *format, ...)
{
    if (reader->failed) return;
    reader->failed = true;
    reader->fault->line = line;
    reader->fault->column = column;
    va_list values;
    va_start(values, format);
    vsnprintf(reader->fault->text, sizeof reader->fault->text, format, values);
    va_end(values);
}

/* Text is UTF-8 without control characters other than tab and line ends. The parser is not trusted with
 * anything else. */
static void check_text(struct reader *reader, struct span bytes)
{
    uint32_t line = 1, column = 1;
    size_t sound = utf8_prefix(bytes.data, bytes.size);
    for (size_t at = 0; at < bytes.size; at++) {
        uint8_t byte = bytes.data[at];
        if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7f) {
            fail(reader, line, column, "control character 0x%02x; only text in UTF-8 is allowed", byte);
            return;
        }
        if (at == sound) {
            fail(reader, line, column, "byte 0x%02x is not UTF-8; a file in UTF-8 is wanted", byte);
            return;
        }
        bool last = at + 1 == bytes.size || (bytes.data[at + 1] & 0xc0) != 0x80 || at + 1 == sound;
        column += last; /* of a character */
        if (byte == '\n') {
            line++;
            column = 1;
        }
    }
}

/* 1 where the parser's mark stands behind the sign that people see first: a quote, or an alias's star. */
static uint32_t begins_behind_a_sign(struct fy_event *event, const struct fy_mark *mark)
{
    if (mark->column == 0) return 0;
    if (event->type == FYET_ALIAS) return 1;
    if (event->type != FYET_SCALAR || !event->scalar.value) return 0;
    enum fy_scalar_style style = fy_token_scalar_style(event->scalar.value);
    return style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
}

static void place(struct yaml_node *node, const struct reader *reader, struct fy_event *event)
{
    const struct fy_mark *mark = fy_event_start_mark(event);
    if (mark) {
        node->line = (uint32_t)mark->line + 1;
        node->column = (uint32_t)mark->column + 1 - begins_behind_a_sign(event, mark);
        return;
    }
    /* A value that is not written has no mark: it is where its key is. */
    const struct yaml_node *before = reader->depth ? reader->levels[reader->depth - 1].last : NULL;
    node->line = before ? before->line : 1;
    node->column = before ? before->column : 1;
}

static void check_key(struct reader *reader, const struct level *level, const struct yaml_node *key)
{
    if (key->kind != YAML_SCALAR) {
        fail(reader, key->line, key->column, "a list or mapping cannot be a key; a key is a word");
        return;
    }
    const struct yaml_node *other = level->node->first;
    for (; other && other != key; other = other->next ? other->next->next : NULL) {
        if (strcmp(other->text, key->text) != 0) continue;
        fail(reader, key->line, key->column, "`%.64s` is given twice (first on line %u); give it once", key->text,
             other->line);
        return;
    }
}

static void adopt(struct reader *reader, struct yaml_node *node)
{
    if (reader->depth == 0) return;
    struct level *level = &reader->levels[reader->depth - 1];
    if (level->last) level->last->next = node;
    else level->node->first = node;
    level->last = node;
    bool is_key = level->node->kind == YAML_MAPPING && level->children % 2 == 0;
    level->children++;
    if (level->node->kind == YAML_SEQUENCE || is_key) level->node->count++;
    if (is_key) check_key(reader, level, node);
}

static struct yaml_node *add(struct reader *reader, struct fy_event *event, enum yaml_kind kind)
{
    struct yaml *yaml = reader->yaml;
    struct yaml_node place_only = {0};
    place(&place_only, reader, event);
    if (yaml->count == YAML_NODES_MAX) {
        fail(reader, place_only.line, place_only.column, "more than %d entries; split the file", YAML_NODES_MAX);
        return NULL;
    }
    struct yaml_node *node = &yaml->nodes[yaml->count++];
    *node = (struct yaml_node){.kind = kind, .line = place_only.line, .column = place_only.column};
    if (fy_event_get_anchor_token(event) || fy_event_get_tag_token(event))
        fail(reader, node->line, node->column, "anchors (&), aliases (*) and tags (!) are not allowed; write it out");
    return node;
}

/* C0, DEL, C1 and the two separators of lines: an escape can write them, and no word or name has one. */
static bool holds_control(const char *text)
{
    for (const uint8_t *at = (const uint8_t *)text; *at; at++) {
        if (*at < 0x20 || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0)) return true;
        if (*at == 0xe2 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9)) return true;
    }
    return false;
}

static void add_scalar(struct reader *reader, struct fy_event *event)
{
    struct yaml_node *node = add(reader, event, YAML_SCALAR);
    if (!node) return;
    size_t size = 0;
    struct fy_token *token = event->scalar.value;
    const char *text = token ? fy_token_get_text(token, &size) : "";
    node->quoted = token && fy_token_scalar_style(token) != FYSS_PLAIN;
    node->text = strndup(text ? text : "", text ? size : 0);
    if (!node->text) fail(reader, node->line, node->column, "out of memory");
    else if (strlen(node->text) < size || holds_control(node->text))
        fail(reader, node->line, node->column, "a control character or a line break in text; leave it out");
    if (!reader->failed) adopt(reader, node);
}

static void open_container(struct reader *reader, struct fy_event *event, enum yaml_kind kind)
{
    struct yaml_node *node = add(reader, event, kind);
    if (!node || reader->failed) return;
    adopt(reader, node);
    if (reader->depth == YAML_DEPTH_MAX) {
        fail(reader, node->line, node->column, "nested deeper than %d levels", YAML_DEPTH_MAX);
        return;
    }
    reader->levels[reader->depth++] = (struct level){.node = node};
}

static void take(struct reader *reader, struct fy_event *event)
{
    switch (event->type) {
    case FYET_SCALAR:
        add_scalar(reader, event);
        break;
    case FYET_MAPPING_START:
        open_container(reader, event, YAML_MAPPING);
        break;
    case FYET_SEQUENCE_START:
        open_container(reader, event, YAML_SEQUENCE);
        break;
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        assert(reader->depth > 0);
        reader->depth--;
        break;
    case FYET_ALIAS: {
        struct yaml_node at = {0};
        place(&at, reader, event);
        fail(reader, at.line, at.column, "anchors (&), aliases (*) and tags (!) are not allowed; write it out");
        break;
    }
    case FYET_DOCUMENT_START:
        if (reader->documents++) {
            const struct fy_mark *mark = fy_event_start_mark(event);
            fail(reader, mark ? (uint32_t)mark->line + 1 : 1, mark ? (uint32_t)mark->column + 1 : 1,
                 "a second document; one document is allowed");
        }
        break;
    default:
        break;
    }
}

/* The parser's own complaint: its first error, else a general one. */
static void report_syntax(struct reader *reader, struct fy_diag *diag)
{
    void *at = NULL;
    const struct fy_diag_error *error = fy_diag_errors_iterate(diag, &at);
    if (error && error->msg && error->line > 0)
        fail(reader, (uint32_t)error->line, error->column > 0 ? (uint32_t)error->column : 1, "not YAML: %.200s",
             error->msg);
    else fail(reader, 1, 1, "not YAML; a scenario file is a YAML mapping");
}

static void parse(struct reader *reader, struct span bytes)
{
    struct fy_diag_cfg quiet;
    fy_diag_cfg_default(&quiet);
    quiet.fp = NULL;
    struct fy_diag *diag = fy_diag_create(&quiet);
    if (diag) fy_diag_set_collect_errors(diag, true);
    struct fy_parse_cfg config = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_JSON_NONE, .diag = diag};
    struct fy_parser *parser = diag ? fy_parser_create(&config) : NULL;
    if (bytes.size == 0) {
        /* Nothing to parse; no event is an empty file. */
    } else if (!parser || fy_parser_set_string(parser, (const char *)bytes.data, bytes.size)) {
        fail(reader, 1, 1, "out of memory");
    } else {
        struct fy_event *event;
        while (!reader->failed && (event = fy_parser_parse(parser))) {
            take(reader, event);
            fy_parser_event_free(parser, event);
        }
        if (!reader->failed && fy_parser_get_stream_error(parser)) report_syntax(reader, diag);
    }
    if (parser) fy_parser_destroy(parser);
    if (diag) fy_diag_destroy(diag);
}

struct yaml *yaml_read(struct span bytes, struct yaml_fault *fault)
{
    struct yaml *yaml = calloc(1, sizeof *yaml);
    struct reader reader = {.yaml = yaml, .fault = fault};
    if (yaml) yaml->nodes = calloc(YAML_NODES_MAX, sizeof *yaml->nodes);
    if (!yaml || !yaml->nodes) fail(&reader, 1, 1, "out of memory");
    else if (bytes.size > YAML_BYTES_MAX)
        fail(&reader, 1, 1, "larger than %u bytes; a scenario file is small", YAML_BYTES_MAX);
    if (!reader.failed) check_text(&reader, bytes);
    if (!reader.failed) parse(&reader, bytes);
    if (!reader.failed && yaml->count == 0) fail(&reader, 1, 1, "the file is empty; a YAML mapping is wanted");
    if (!reader.failed) return yaml;
    yaml_free(yaml);
    return NULL;
}

void yaml_free(struct yaml *yaml)
{
    if (!yaml) return;
    for (size_t at = 0; yaml->nodes && at < yaml->count; at++) free(yaml->nodes[at].text);
    free(yaml->nodes);
    free(yaml);
}

const struct yaml_node *yaml_root(const struct yaml *yaml)
{
    return &yaml->nodes[0];
}

const struct yaml_node *yaml_key(const struct yaml_node *mapping, const char *key)
{
    if (mapping->kind != YAML_MAPPING) return NULL;
    for (const struct yaml_node *at = mapping->first; at; at = at->next->next)
        if (strcmp(at->text, key) == 0) return at;
    return NULL;
}

bool yaml_is_null(const struct yaml_node *node)
{
    return node->kind == YAML_SCALAR && !node->quoted &&
           (node->text[0] == '\0' || strcmp(node->text, "null") == 0 || strcmp(node->text, "~") == 0);
}
