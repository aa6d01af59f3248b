# embed.c is assembled again whenever a table that it holds changes.
set_source_files_properties(
  ${PROJECT_SOURCE_DIR}/data/embed.c PROPERTIES
  COMPILE_DEFINITIONS "EMBED_FOLDER=\"${PROJECT_SOURCE_DIR}/data\""
  OBJECT_DEPENDS "${PROJECT_SOURCE_DIR}/data/england-2023.csv;${PROJECT_SOURCE_DIR}/data/parameters.csv;${PROJECT_SOURCE_DIR}/data/sources.csv")
