# How QADataSwap's own code is compiled: warnings, and sanitizers if asked for. Nothing of it reaches a user.
#
#   qadataswap_set_options(<target>)

# The sanitizers watch the C++ side. The Rust core is linked as it is: a leak, an overrun or a race across the border
# is seen by what the C++ side does with the memory.
set(qadataswap_sanitizer_flags "")
if(QADATASWAP_SANITIZE)
  set(qadataswap_sanitizer_flags "-fsanitize=${QADATASWAP_SANITIZE}" -fno-omit-frame-pointer)
  if(QADATASWAP_SANITIZE MATCHES "undefined")
    list(APPEND qadataswap_sanitizer_flags -fno-sanitize-recover=undefined)
  endif()
endif()

function(qadataswap_set_options target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic "$<$<BOOL:${QADATASWAP_WERROR}>:-Werror>" ${qadataswap_sanitizer_flags})
  target_link_options(${target} PRIVATE ${qadataswap_sanitizer_flags})
endfunction()
