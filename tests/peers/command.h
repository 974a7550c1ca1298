// Runs a program of others to its end.
#pragma once

#include <gtest/gtest.h>

#include <cstdio>
#include <string>

namespace paygress::peers {

// What the shell's command wrote to standard output; the test fails unless its status is 0.
inline std::string run_command(const std::string& command) {
  std::string output;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) {
    ADD_FAILURE() << "cannot run " << command;
    return output;
  }
  char buffer[4096];
  while (const size_t n = std::fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, n);
  EXPECT_EQ(::pclose(pipe), 0) << command << "\n" << output;
  return output;
}

}  // namespace paygress::peers
