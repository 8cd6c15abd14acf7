#include "foreign/file_bytes.hpp"

#include <zlib.h>

#include <fstream>
#include <stdexcept>

namespace convoy::test {

std::string little_endian(std::uint64_t value, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes.push_back(i < 8 ? static_cast<char>(value >> (8 * i) & 255) : '\0');
  return bytes;
}

void write_bytes(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

namespace pickle {

std::string text(std::string_view content) {
  return "X" + little_endian(content.size(), 4) + std::string(content);
}

std::string integer(std::int64_t value) {
  return "\x8a\x08" + little_endian(static_cast<std::uint64_t>(value), 8);
}

std::string global(std::string_view module, std::string_view name) {
  std::string bytes = "c";
  bytes.append(module).append("\n").append(name).append("\n");
  return bytes;
}

std::string tuple(const std::vector<std::string>& values) {
  std::string bytes = "(";
  for (const std::string& value : values) bytes += value;
  return bytes + "t";
}

std::string extents(const Extents& values) {
  std::vector<std::string> texts;
  for (const std::int64_t value : values) texts.push_back(integer(value));
  return tuple(texts);
}

std::string call(std::string_view module, std::string_view name, const std::string& arguments) {
  return global(module, name) + arguments + "R";
}

namespace {

std::string with_items(std::string bytes, const Items& items) {
  bytes += "(";
  for (const auto& [name, value] : items) bytes += text(name) + value;
  return bytes + "u";
}

}  // namespace

std::string ordered_dict(const Items& items) {
  return with_items(call("collections", "OrderedDict", ")"), items);
}

std::string dict(const Items& items) {
  return with_items("}", items);
}

std::string storage(std::string_view key, std::int64_t numbers, std::string_view type) {
  return tuple({text("storage"), global("torch", type), text(key), text("cpu"), integer(numbers)}) + "Q";
}

std::string tensor(const std::string& storage, std::int64_t offset, const Extents& shape,
                   const Extents& strides) {
  return call("torch._utils", "_rebuild_tensor_v2",
              tuple({storage, integer(offset), extents(shape), extents(strides), "\x89", ordered_dict({})}));
}

std::string whole(const std::string& value) {
  return "\x80\x02" + value + ".";
}

}  // namespace pickle

namespace {

std::string deflated(const std::string& content) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::runtime_error("zlib does not start");
  std::string packed(deflateBound(&stream, content.size()), '\0');
  std::string source = content;
  stream.next_in = reinterpret_cast<Bytef*>(source.data());
  stream.avail_in = static_cast<uInt>(source.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

}  // namespace

std::string zip(const std::vector<ZipPart>& parts) {
  std::string file, list;
  for (const ZipPart& part : parts) {
    const auto* bytes = reinterpret_cast<const Bytef*>(part.content.data());
    const std::uint32_t crc =
        part.crc32.value_or(static_cast<std::uint32_t>(crc32_z(0, bytes, part.content.size())));
    const std::string packed = part.deflated ? deflated(part.content) : part.content;
    const std::string numbers = little_endian(crc, 4) + little_endian(packed.size(), 4) +
                                little_endian(part.bytes.value_or(part.content.size()), 4);
    const auto header = [&](const std::string& values) {
      return little_endian(20, 2) + little_endian(part.descriptor ? 8 : 0, 2) +
             little_endian(part.deflated ? 8 : 0, 2) + little_endian(0, 4) + values +
             little_endian(part.name.size(), 2) + little_endian(0, 2);
    };
    list += "PK\1\2" + little_endian(20, 2) + header(numbers) + little_endian(0, 10) +
            little_endian(file.size(), 4) + part.name;
    file += "PK\3\4" + header(part.descriptor ? std::string(12, '\0') : numbers) + part.name + packed;
    if (part.descriptor) file += "PK\7\10" + numbers;
  }
  const std::string count = little_endian(parts.size(), 2);
  return file + list + "PK\5\6" + little_endian(0, 4) + count + count + little_endian(list.size(), 4) +
         little_endian(file.size(), 4) + little_endian(0, 2);
}

std::string torch_zip(const std::string& value, const pickle::Items& storages) {
  std::vector<ZipPart> parts;
  const auto add = [&](const std::string& name, const std::string& content) {
    ZipPart part;
    part.name = "archive/" + name;
    part.content = content;
    part.descriptor = true;
    parts.push_back(std::move(part));
  };
  add("data.pkl", pickle::whole(value));
  add("byteorder", "little");
  for (const auto& [key, bytes] : storages) add("data/" + key, bytes);
  add("version", "3\n");
  return zip(parts);
}

std::string old_torch_file(const std::string& value, const std::vector<OldStorage>& storages) {
  const std::string magic("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);
  std::string keys = "](";
  for (const OldStorage& storage : storages) keys += pickle::text(storage.key);
  std::string file =
      magic + pickle::whole(pickle::integer(1001)) +
      pickle::whole(pickle::dict({{"protocol_version", pickle::integer(1001)}, {"little_endian", "\x88"}})) +
      pickle::whole(value) + pickle::whole(keys + "e");
  for (const OldStorage& storage : storages) file += little_endian(storage.numbers, 8) + storage.bytes;
  return file;
}

std::string tar(const std::vector<TarPart>& parts) {
  constexpr std::size_t block = 512;
  const auto octal = [](std::size_t value, int digits) {
    std::string text(digits, '0');
    for (auto digit = text.rbegin(); digit != text.rend(); ++digit, value /= 8)
      *digit = static_cast<char>('0' + value % 8);
    return text;
  };
  std::string file;
  for (const TarPart& part : parts) {
    std::string header = part.name;
    header.resize(100);
    header += octal(0644, 7) + '\0' + octal(0, 7) + '\0' + octal(0, 7) + '\0';
    header += octal(part.content.size(), 11) + '\0' + octal(0, 11) + '\0' + std::string(8, ' ') + '0';
    header.resize(257);
    header += std::string("ustar\0", 6) + "00";
    header.resize(block);
    std::size_t sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    header.replace(148, 7, octal(sum, 6) + '\0');
    file += header + part.content;
    file.resize((file.size() + block - 1) / block * block);
  }
  return file + std::string(2 * block, '\0');
}

}  // namespace convoy::test
