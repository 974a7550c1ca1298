// What is believed of a mint's answers (NUT-01, 02, 06), and how inputs become outputs.
#include "core/cashu/mint_book.h"

#include <gtest/gtest.h>

#include "tests/core/cashu/support.h"

namespace paygress::cashu {
namespace {

using test::TinyMint;

constexpr UnixSeconds kToday{1'800'000'000};
const std::string kMint = "https://a.example";
const std::string kOther = "https://b.example";

Keyset listing(Keyset keyset) {
  keyset.keys.clear();
  return keyset;
}

// Answers one reading; `listed` without keys, `active` with.
std::vector<MintAsk> read(MintBook& book, const std::string& mint, std::vector<uint32_t> nuts,
                          std::vector<Keyset> listed, std::vector<Keyset> active) {
  for (Keyset& keyset : listed) keyset = listing(keyset);
  book.begin_reading(mint);
  book.on_answer({mint, Endpoint::Info, {}}, InfoAnswer{"mint", std::move(nuts)});
  book.on_answer({mint, Endpoint::Keysets, {}}, KeysetsAnswer{std::move(listed)});
  return book.on_answer({mint, Endpoint::Keys, {}}, KeysetsAnswer{std::move(active)});
}

std::vector<Proof> proofs_of(const Keyset& keyset, const std::vector<Amount>& amounts) {
  std::vector<Proof> proofs;
  for (const Amount amount : amounts)
    proofs.push_back({amount, keyset.id, "secret " + std::to_string(proofs.size()), {}, {}, {}});
  return proofs;
}

TEST(MintBook, Is_ready_only_when_info_and_listing_were_read) {
  const TinyMint tiny;
  MintBook book({kMint});
  EXPECT_TRUE(book.accepts(kMint));
  EXPECT_FALSE(book.accepts(kOther));
  EXPECT_EQ(book.begin_reading(kMint).size(), 3u);
  EXPECT_TRUE(book.begin_reading(kMint).empty());  // one reading at a time
  book.on_answer({kMint, Endpoint::Keysets, {}}, KeysetsAnswer{{listing(tiny.keyset)}});
  book.on_answer({kMint, Endpoint::Keys, {}}, KeysetsAnswer{{tiny.keyset}});
  EXPECT_FALSE(book.ready(kMint));
  EXPECT_TRUE(book.reading(kMint));
  book.on_answer({kMint, Endpoint::Info, {}}, InfoAnswer{"mint", {7, 9, 12}});
  EXPECT_TRUE(book.ready(kMint) && book.suitable(kMint));
  EXPECT_FALSE(book.reading(kMint));
}

TEST(MintBook, A_mint_without_one_of_7_9_12_is_unsuitable) {
  const TinyMint tiny;
  for (const std::vector<uint32_t>& nuts :
       {std::vector<uint32_t>{9, 12}, {7, 12}, {7, 9}, {4, 5}}) {
    MintBook book({kMint});
    read(book, kMint, nuts, {tiny.keyset}, {tiny.keyset});
    EXPECT_TRUE(book.ready(kMint));
    EXPECT_FALSE(book.suitable(kMint));
  }
}

TEST(MintBook, Keys_that_do_not_give_the_id_are_refused) {
  TinyMint tiny;
  std::swap(tiny.keyset.keys[1], tiny.keyset.keys[2]);
  MintBook book({kMint});
  read(book, kMint, {7, 9, 12}, {tiny.keyset}, {tiny.keyset});
  EXPECT_TRUE(book.find(kMint, tiny.keyset.id)->keys.empty());
  EXPECT_EQ(book.problems(kMint).size(), 1u);
}

// NUT-02: a version 2 id binds the fee; a listing with another fee is not that keyset.
TEST(MintBook, A_version_2_listing_cannot_change_the_fee) {
  const TinyMint tiny("v2", KeysetVersion::V2);
  MintBook book({kMint});
  read(book, kMint, {7, 9, 12}, {tiny.keyset}, {tiny.keyset});
  Keyset dearer = tiny.keyset;
  dearer.input_fee_ppk = 5000;
  read(book, kMint, {7, 9, 12}, {dearer}, {});
  EXPECT_EQ(book.find(kMint, tiny.keyset.id)->input_fee_ppk, 0u);
  EXPECT_FALSE(book.problems(kMint).empty());
}

TEST(MintBook, A_version_1_fee_is_the_newest_listing) {
  const TinyMint tiny;
  MintBook book({kMint});
  read(book, kMint, {7, 9, 12}, {tiny.keyset}, {tiny.keyset});
  Keyset dearer = tiny.keyset;
  dearer.input_fee_ppk = 5000;
  read(book, kMint, {7, 9, 12}, {dearer}, {});
  EXPECT_EQ(book.find(kMint, tiny.keyset.id)->input_fee_ppk, 5000u);
  EXPECT_FALSE(book.find(kMint, tiny.keyset.id)->keys.empty());
}

// NUT-13: another mint that announces a keyset's id would have us use its secrets twice.
TEST(MintBook, Another_mint_cannot_announce_a_known_id) {
  const TinyMint tiny;
  MintBook book({kMint, kOther});
  read(book, kMint, {7, 9, 12}, {tiny.keyset}, {tiny.keyset});
  read(book, kOther, {7, 9, 12}, {tiny.keyset}, {tiny.keyset});
  EXPECT_NE(book.find(kMint, tiny.keyset.id), nullptr);
  EXPECT_EQ(book.find(kOther, tiny.keyset.id), nullptr);
  MintBook after_restart({kMint, kOther});
  after_restart.remember({{kMint, tiny.keyset.id}});
  read(after_restart, kOther, {7, 9, 12}, {tiny.keyset}, {tiny.keyset});
  EXPECT_EQ(after_restart.find(kOther, tiny.keyset.id), nullptr);
}

TEST(MintBook, Keys_of_retired_keysets_are_asked_for_once) {
  const TinyMint active("active");
  TinyMint retired("retired");
  retired.keyset.active = false;
  MintBook book({kMint});
  const auto further =
      read(book, kMint, {7, 9, 12}, {active.keyset, retired.keyset}, {active.keyset});
  ASSERT_EQ(further.size(), 1u);
  EXPECT_EQ(further[0].endpoint, Endpoint::KeysById);
  EXPECT_EQ(further[0].argument, retired.keyset.id);
  EXPECT_TRUE(book.on_answer(further[0], KeysetsAnswer{{retired.keyset}}).empty());
  EXPECT_EQ(book.find(kMint, retired.keyset.id)->keys, retired.keyset.keys);
  EXPECT_FALSE(book.find(kMint, retired.keyset.id)->active);
  EXPECT_TRUE(
      read(book, kMint, {7, 9, 12}, {active.keyset, retired.keyset}, {active.keyset}).empty());
}

TEST(MintBook, A_keyset_that_is_no_longer_listed_gets_no_outputs) {
  const TinyMint tiny;
  MintBook book({kMint});
  read(book, kMint, {7, 9, 12}, {tiny.keyset}, {tiny.keyset});
  EXPECT_TRUE(book.plan(kMint, "sat", proofs_of(tiny.keyset, {8}), kToday).has_value());
  read(book, kMint, {7, 9, 12}, {}, {});
  EXPECT_FALSE(book.plan(kMint, "sat", proofs_of(tiny.keyset, {8}), kToday).has_value());
}

TEST(MintBook, A_failed_reading_forgets_nothing) {
  const TinyMint tiny;
  MintBook book({kMint});
  read(book, kMint, {7, 9, 12}, {tiny.keyset}, {tiny.keyset});
  for (const MintAsk& ask : book.begin_reading(kMint)) book.on_answer(ask, NoReply{});
  EXPECT_TRUE(book.ready(kMint) && book.suitable(kMint));
  EXPECT_FALSE(book.find(kMint, tiny.keyset.id)->keys.empty());
}

// NUT-02: inputs = fee + outputs, the fee rounded up once over all inputs.
TEST(MintBook, A_plan_balances) {
  TinyMint tiny;
  tiny.keyset.input_fee_ppk = 400;
  MintBook book({kMint});
  read(book, kMint, {7, 9, 12}, {tiny.keyset}, {tiny.keyset});
  const auto plan = book.plan(kMint, "sat", proofs_of(tiny.keyset, {4, 32, 64}), kToday);
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->fee, 2u);
  EXPECT_EQ(plan->amounts, (std::vector<Amount>{2, 32, 64}));
  EXPECT_FALSE(book.plan(kMint, "sat", proofs_of(tiny.keyset, {1}), kToday).has_value());
  EXPECT_FALSE(book.plan(kMint, "msat", proofs_of(tiny.keyset, {8}), kToday).has_value());
}

}  // namespace
}  // namespace paygress::cashu
