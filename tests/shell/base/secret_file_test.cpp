#include "shell/base/secret_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "shell/base/clock.h"
#include "shell/base/entropy.h"
#include "shell/base/file.h"
#include "tests/shell/temporary_directory.h"

namespace paygress::shell {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class SecretFile : public ::testing::Test {
 protected:
  void put(const std::string& content, unsigned mode) const {
    std::ofstream(path()) << content;
    std::filesystem::permissions(path(), std::filesystem::perms(mode));
  }
  std::string path() const { return directory_.file("key"); }
  std::string refusal() const {
    const auto secret = read_secret_file(path());
    return secret ? "" : to_string(secret.error());
  }
  test::TemporaryDirectory directory_;
};

TEST_F(SecretFile, IsReadWithoutTheLineEnd) {
  put(" nsec1 abc \r\n\n", 0600);
  EXPECT_EQ(read_secret_file(path())->reveal(), " nsec1 abc");
  put("", 0600);
  EXPECT_TRUE(read_secret_file(path())->empty());
}

TEST_F(SecretFile, IsRefusedWhenOthersMayReadIt) {
  for (unsigned mode : {0640U, 0604U, 0660U, 0610U}) {
    put("x", mode);
    EXPECT_THAT(refusal(), AllOf(HasSubstr(path()), HasSubstr("chmod 600"))) << mode;
  }
  put("x", 0400);
  EXPECT_EQ(refusal(), "");
}

TEST_F(SecretFile, IsRefusedWhenItIsMissingTooLongOrNoFile) {
  EXPECT_THAT(refusal(), HasSubstr("No such file"));
  put(std::string(kSecretFileBytesMax + 1, 'x'), 0600);
  EXPECT_THAT(refusal(), HasSubstr("longer than"));
  std::filesystem::remove(path());
  ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
  EXPECT_THAT(refusal(), HasSubstr("not a regular file"));
}

TEST_F(SecretFile, IsWrittenForItsOwnerOnly) {
  const mode_t before = umask(0);
  ASSERT_TRUE(write_secret_file(path(), "one", Replace::No));
  umask(before);
  EXPECT_EQ(std::filesystem::status(path()).permissions(), std::filesystem::perms(0600));
  EXPECT_EQ(read_secret_file(path())->reveal(), "one");
}

TEST_F(SecretFile, IsReplacedOnlyWhenAsked) {
  ASSERT_TRUE(write_secret_file(path(), "one", Replace::No));
  const auto again = write_secret_file(path(), "two", Replace::No);
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().message, HasSubstr("exists already"));
  EXPECT_EQ(read_secret_file(path())->reveal(), "one");
  ASSERT_TRUE(write_secret_file(path(), "two", Replace::Yes));
  EXPECT_EQ(read_secret_file(path())->reveal(), "two");
  // No temporary file stays behind.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_.path()), {}), 1);
}

// The temporary file is nobody's business: who reads the error looks for the one that was asked
// for.
TEST_F(SecretFile, AnErrorNamesTheFileThatWasAskedFor) {
  const std::string lost = directory_.file("missing/secret");
  const auto written = write_secret_file(lost, "one", Replace::No);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().where, lost);
  const auto writable = check_writable(lost);
  ASSERT_FALSE(writable);
  EXPECT_EQ(writable.error().where, lost);
  EXPECT_TRUE(check_writable(path()));
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path())) << "looking leaves nothing behind";
}

TEST_F(SecretFile, ALockIsHeldByOne) {
  {
    const auto first = lock_file(path(), "is held");
    ASSERT_TRUE(first);
    const auto second = lock_file(path(), "is held");
    ASSERT_FALSE(second);
    EXPECT_EQ(to_string(second.error()), path() + ": is held");
  }
  EXPECT_TRUE(lock_file(path(), "is held"));
}

TEST_F(SecretFile, AnErrorNeverQuotesTheContent) {
  put("hunter2", 0644);
  EXPECT_THAT(refusal(), ::testing::Not(HasSubstr("hunter2")));
}

TEST(PrivateDirectory, IsMadeOrChecked) {
  test::TemporaryDirectory directory;
  const std::string path = directory.file("data");
  ASSERT_TRUE(make_private_directory(path));
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms(0700));
  EXPECT_TRUE(make_private_directory(path));
  std::filesystem::permissions(path, std::filesystem::perms(0750));
  EXPECT_FALSE(make_private_directory(path));
  EXPECT_FALSE(make_private_directory(directory.file("missing/data")));
}

TEST(Secret, PrintsNothingOfItself) {
  const Secret secret("hunter2");
  std::ostringstream out;
  out << secret;
  EXPECT_EQ(out.str(), "[redacted]");
  EXPECT_EQ(fmt::format("{} {:>12}", secret, secret), "[redacted]   [redacted]");
}

TEST(Secret, LeavesNothingBehindWhenMoved) {
  Secret from("a secret that is too long for a small string");
  const Secret to(std::move(from));
  EXPECT_EQ(to.reveal(), "a secret that is too long for a small string");
  EXPECT_EQ(from.reveal().find("secret"), std::string_view::npos);
}

TEST(OsEntropy, FillsTheWholeSpan) {
  std::array<uint8_t, 1024> a{};
  std::array<uint8_t, 1024> b{};
  OsEntropy().fill(a);
  OsEntropy().fill(b);
  EXPECT_NE(a, b);
  EXPECT_FALSE(std::all_of(a.end() - 64, a.end(), [](uint8_t byte) { return byte == 0; }));
}

TEST(Clock, GoesForward) {
  const Now first = now();
  const Now second = now();
  EXPECT_LE(first.mono, second.mono);
  EXPECT_GT(first.wall.value, 1'700'000'000);
}

}  // namespace
}  // namespace paygress::shell
