// The user's terminal: whether standard output and standard error are shown on one, how wide it is, and the
// sequences that overwrite a line or colour a text there. Used by base/log, report/progress_line and cli/.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace convoy {

enum class Stream { output, messages };  // standard output, standard error

// Whether the user sees the stream on a terminal. mpirun gives its ranks pipes and terminals of its own,
// whatever is behind them, so they believe the variables that launch/local and launch/mpirun set:
// CONVOY_PROGRESS for standard output, CONVOY_MESSAGES for standard error.
bool on_terminal(Stream stream);

// Whether a line there can be overwritten: not on a terminal that says it is dumb.
bool can_redraw(Stream stream);

// Whether texts are coloured there: where lines can be redrawn, unless NO_COLOR (https://no-color.org) is set
// to anything.
bool shows_colour(Stream stream);

// Columns of the user's terminal at the moment. Where no terminal can be asked (a rank on another host),
// those of the environment variable COLUMNS, otherwise 80.
std::size_t terminal_columns(Stream stream);

// Whether a line can be written there without waiting, at once or within `seconds`: the reader of a pipe may
// have stopped to read (`| less`), and so may a terminal (Ctrl-S). Also true if writing would fail.
bool accepts_text(Stream stream, double seconds);

enum class Style { bold, dim, red, yellow };

// `text` in this style if `colour`, otherwise as it is.
std::string styled(std::string_view text, Style style, bool colour);

// Characters of a UTF-8 text, as the columns that it takes where none of them is wide.
std::size_t character_count(std::string_view text);

// Draws a line that the next one, or whatever else is printed, overwrites. The cursor stays at its start: a
// terminal that is made narrower then keeps the cursor above what it wraps, and the next line erases that
// too. What does not fit is cut off by the terminal.
std::string live_line(std::string_view text);

// Erases a live line, whichever process drew it, and leaves the cursor at its start.
inline constexpr std::string_view erase_live_line = "\r\033[J";

}  // namespace convoy
