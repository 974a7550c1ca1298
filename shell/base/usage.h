// What was wrong with a command line, in words: both programs say it alike.
#pragma once

#include <CLI/App.hpp>

#include <string>

namespace paygress::shell {

struct Usage {
  std::string problem;  // names the word that is wrong
  std::string advice;   // the nearest known word, the verbs, or whose --help to read
};
// Of the line that `app` has just refused.
Usage usage_of(const CLI::App& app, const CLI::ParseError& error);

}  // namespace paygress::shell
