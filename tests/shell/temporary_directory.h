// A directory that is gone after the test.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace paygress::test {

class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_(::testing::TempDir() + "paygress-XXXXXX") {
    EXPECT_NE(mkdtemp(path_.data()), nullptr);
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace paygress::test
