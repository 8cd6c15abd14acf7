// The classes of a store, their order and their words, as --class-list and --class-names give them, and those
// of imported weights. Used by pack on rank 0 and by import. The split that is packed first fixes a store's
// classes.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "data/store.hpp"
#include "sources/source.hpp"

namespace convoy {

// --class-list: one id per line, in label order; blank lines are ignored. Throws ExitCode::bad_data for an id
// that occurs twice, a file without ids, and a list of ids with their words, which is --class-names's.
std::vector<std::string> read_class_list(const std::filesystem::path& path);

// --class-names: "n01440764 tench, Tinca tinca" per line (id, blank, words; or id and words separated by a
// tab, a comma or a semicolon, perhaps quoted), or the ILSVRC2012 development kit. The separator is the one
// by which most lines begin with one of `ids`; words for other ids are allowed. Unquoted commas separate
// columns, of which the second has the words, if all lines have equally many and the first line is a header
// or no blank follows them. Returns words by id. Throws ExitCode::bad_data, with lines, for an id without
// words and for different words for one id.
std::map<std::string, std::string> read_class_names(const std::filesystem::path& path,
                                                    const std::vector<std::string>& ids);

// The classes of a network, in the order of its outputs: an id and words per line, separated by a tab or, if
// every id is a synset, as in --class-names; otherwise a name per line, which is the id too (with a number
// where it occurs again: "crane 2"). The development kit has them in the order of synsets. Throws
// ExitCode::bad_data for an id that occurs twice.
std::vector<ClassEntry> read_output_classes(const std::filesystem::path& path);

// Ids with their words; a class without words is named by its id. Throws ExitCode::usage if `names` is not
// empty but contains none of the ids.
std::vector<ClassEntry> name_classes(const std::vector<std::string>& ids,
                                     const std::map<std::string, std::string>& names);

// Converts labels that refer to index.classes to labels that refer to `classes`. Throws ExitCode::bad_data
// with the classes that are not among them.
void relabel(SourceIndex& index, const std::vector<std::string>& classes);

}  // namespace convoy
