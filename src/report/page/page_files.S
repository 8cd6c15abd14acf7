/* The frame, the style and the scripts of a report as parts of the program, which needs no file beside it. page_files.cpp
   reads them. The scripts share one scope and stand in the order of their use; CMake lists them too, for dependencies. */
  .section .rodata

  .macro part name
  .hidden convoy_page_\name\()_begin
  .hidden convoy_page_\name\()_end
  .global convoy_page_\name\()_begin
  .global convoy_page_\name\()_end
  .endm

  part frame
convoy_page_frame_begin:
  .incbin "report.html"
convoy_page_frame_end:
  .byte 0

  part style
convoy_page_style_begin:
  .incbin "report.css"
convoy_page_style_end:
  .byte 0

  part script
convoy_page_script_begin:
  .incbin "elements.js"
  .incbin "numbers.js"
  .incbin "axes.js"
  .incbin "place.js"
  .incbin "chart.js"
  .incbin "pointer.js"
  .incbin "curves.js"
  .incbin "speed.js"
  .incbin "summary.js"
  .incbin "tables.js"
  .incbin "predictions.js"
  .incbin "details.js"
  .incbin "comparison.js"
  .incbin "main.js"
convoy_page_script_end:
  .byte 0
  .section .note.GNU-stack,"",%progbits
