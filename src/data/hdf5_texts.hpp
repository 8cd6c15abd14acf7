// Attributes and texts of variable length in an HDF5 file: the texts lie in the file's global heap, and
// datasets and attributes hold references to them. HDF5 1.10 believes these references and the sizes of
// attributes, which a hostile file uses to make it read and write outside its memory; therefore they are
// followed here, with every place and size checked against the file (HDF5 File Format Specification 3.0:
// III.E global heap, IV.A object headers). Used by Hdf5File, which has found and checked type and shape
// through HDF5.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_descriptor.hpp"

namespace convoy {

// A file with addresses and lengths of 8 bytes and without a user block. Functions throw ExitCode::bad_data
// with only the reason, ExitCode::io.
class Hdf5Texts {
 public:
  explicit Hdf5Texts(const std::filesystem::path& path);

  // `count` references from byte `offset` on: a contiguous dataset.
  std::vector<std::string> at(std::uint64_t offset, std::uint64_t count);
  // To be called before HDF5 reads the type or the attributes of the object whose header is at byte `header`:
  // it believes their descriptions. Throws if they are longer than their place, or of a type that Convoy's
  // files do not have.
  void check_object(std::uint64_t header);
  // The single reference in the attribute `name` of the object whose header is at byte `header`.
  std::string of_attribute(std::uint64_t header, std::string_view name);

 private:
  // A piece of the heap: where the texts in it begin and how long they are, by their numbers.
  struct Collection {
    std::string bytes;
    std::map<std::uint16_t, std::string_view> texts;
  };
  // A part of an object's header that holds messages.
  struct Block {
    std::uint64_t offset = 0, bytes = 0;
  };

  std::string part(std::uint64_t offset, std::uint64_t bytes) const;
  const Collection& collection(std::uint64_t offset);
  std::string text_of(std::string_view reference);
  // A message that describes a type or an attribute.
  struct Message {
    unsigned type = 0;
    std::string bytes;
  };
  static void add_messages(std::string_view block, bool version_2, bool ordered,
                           std::vector<Message>& messages, std::vector<Block>& more);
  std::vector<Message> messages_of(std::uint64_t header) const;

  FileDescriptor file_;
  std::uint64_t bytes_ = 0, heap_left_ = 0, texts_left_ = 0;
  std::map<std::uint64_t, Collection> collections_;
  std::set<std::uint64_t> checked_;  // headers
};

}  // namespace convoy
