/* The font of all text in pictures, DejaVu Sans, as a part of the program; text.cpp reads it. Its licence (that of
   Bitstream Vera) permits this for the unchanged file, which contains the notices that must accompany it. */
  .section .rodata
  .hidden convoy_font_begin
  .hidden convoy_font_end
  .global convoy_font_begin
  .global convoy_font_end
  .balign 16
convoy_font_begin:
  .incbin CONVOY_FONT_FILE
convoy_font_end:
  .byte 0
  .section .note.GNU-stack,"",%progbits
