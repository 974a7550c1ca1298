# paygress_layer(<area> <name> [LINK <targets...>])
#
# Makes libpaygress_<name>.a from the sources of <area>/<name>. Its headers are reachable only as
# "<area>/<name>/x.h" and only for targets that link it: the include directory is a folder of its
# own that holds one symbolic link. An include that points upward therefore does not compile.
# Layers of the shell are called paygress_shell_<name>: core and shell both have a "base".
function(paygress_layer area name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  set(dir ${PROJECT_SOURCE_DIR}/${area}/${name})
  set(target paygress_${name})
  if(area STREQUAL "shell")
    set(target paygress_shell_${name})
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${dir}/*.cpp)
  set(include_root ${PROJECT_BINARY_DIR}/include/${area}_${name})
  file(MAKE_DIRECTORY ${include_root}/${area})
  file(CREATE_LINK ${dir} ${include_root}/${area}/${name} SYMBOLIC)
  if(sources)
    add_library(${target} STATIC ${sources})
    set(scope PUBLIC)
    target_link_libraries(${target} PRIVATE paygress_options)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope} ${include_root})
  target_link_libraries(${target} ${scope} ${ARG_LINK})
endfunction()
