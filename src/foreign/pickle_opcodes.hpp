// The opcodes of Python's pickles that read_pickle knows by value, and the names of the others for its
// messages. For pickle.cpp only.
#pragma once

#include <string>

namespace convoy::pickle_opcodes {

inline constexpr unsigned char proto = 0x80, frame = 0x95, stop = '.', mark = '(';
inline constexpr unsigned char none = 'N', new_true = 0x88, new_false = 0x89;
inline constexpr unsigned char int4 = 'J', int1 = 'K', int2 = 'M', long1 = 0x8A, long4 = 0x8B, float8 = 'G';
inline constexpr unsigned char unicode1 = 0x8C, unicode4 = 'X', unicode8 = 0x8D, string1 = 'U', string4 = 'T';
inline constexpr unsigned char bytes1 = 'C', bytes4 = 'B', bytes8 = 0x8E;
inline constexpr unsigned char empty_tuple = ')', tuple1 = 0x85, tuple2 = 0x86, tuple3 = 0x87, tuple = 't';
inline constexpr unsigned char empty_list = ']', append = 'a', appends = 'e';
inline constexpr unsigned char empty_dict = '}', set_item = 's', set_items = 'u';
inline constexpr unsigned char put1 = 'q', put4 = 'r', memoize = 0x94, get1 = 'h', get4 = 'j';
inline constexpr unsigned char global = 'c', stack_global = 0x93, reduce = 'R', new_object = 0x81,
                               build = 'b';
inline constexpr unsigned char persistent_id = 'Q';

// "INST ('i')"; of a byte that is no opcode "0xFF".
std::string name_of(unsigned char opcode);

}  // namespace convoy::pickle_opcodes
