#include "core/nostr/admission.h"

#include "sim/models/model_witness.h"
#include "tests/core/nostr/support.h"

namespace paygress::nostr {
namespace {

using namespace testing;

std::string frame_of(const Event& event, const std::string& subscription = "s") {
  return to_frame(WireMessage(EventFor<Event>{subscription, event}));
}

VerifiedEvent admitted(const std::string& frame) {
  auto message = Admission::admit(frame);
  if (!message) throw std::runtime_error(to_string(message.error()));
  return std::get<EventFor<VerifiedEvent>>(*message).event;
}

TEST(Admission, VerifiesTheEventOfAFrame) {
  Event event = signed_event(Draft{{1}, 1, {}, "x"});
  EXPECT_EQ(*admitted(frame_of(event)), event);
  event.content = "y";
  EXPECT_FALSE(Admission::admit(frame_of(event)));
}

TEST(Admission, PassesOtherFramesOn) {
  const auto message = Admission::admit(R"(["EOSE","s"])");
  ASSERT_TRUE(message);
  EXPECT_TRUE(std::holds_alternative<EndOfStored>(*message));
}

TEST(Admission, RecognisesEveryRealFrameAfterItWasVerified) {
  Admission admission;
  for (const std::string& line : vector_lines("real-relay-events.jsonl")) {
    EXPECT_FALSE(admission.known(line));
    const VerifiedEvent event = admitted(line);
    admission.remember(event);
    const auto known = admission.known(line);
    ASSERT_TRUE(known) << line;
    EXPECT_EQ(known->id, event->id);
    EXPECT_TRUE(line.starts_with("[\"EVENT\",\"" + known->subscription + "\","));
  }
  EXPECT_EQ(admission.size(), 532u);
}

// A poisoned id would hide the genuine event: the bug of relay pools that cache before verifying.
TEST(Admission, AForgedEventIsNeverRemembered) {
  Admission admission;
  const Event genuine = signed_event(Draft{{1}, 1, {}, "x"});
  Event forged = genuine;
  forged.content = "y";
  EXPECT_FALSE(Admission::admit(frame_of(forged)));
  EXPECT_FALSE(admission.known(frame_of(genuine)));
  admission.remember(admitted(frame_of(genuine)));
  // After that the forged copy is a delivery of a known id; its content is never looked at.
  const auto known = admission.known(frame_of(forged));
  ASSERT_TRUE(known);
  EXPECT_EQ(known->id, genuine.id);
}

TEST(Admission, AnIdInsideContentOrTagsIsNotTheEventsId) {
  Admission admission;
  const Event first = signed_event(Draft{{1}, 1, {}, "x"});
  admission.remember(admitted(frame_of(first)));
  const std::string quoted = "\"id\":\"" + first.id.hex() + "\"";
  const Event second = signed_event(
      Draft{{2}, 1, {{"x", "," + quoted}, {"id", first.id.hex()}}, "{" + quoted + "}"});
  EXPECT_FALSE(admission.known(frame_of(second)));
  // Some relays write the content before the id.
  std::string reordered = frame_of(second);
  const std::string id_field = "\"id\":\"" + second.id.hex() + "\",";
  reordered.erase(reordered.find(id_field), id_field.size());
  reordered.insert(reordered.rfind("}"), "," + id_field.substr(0, id_field.size() - 1));
  EXPECT_FALSE(admission.known(reordered));
  admission.remember(admitted(reordered));
  EXPECT_EQ(admission.known(reordered)->id, second.id);
}

TEST(Admission, IsInDoubtAboutUnusualFrames) {
  Admission admission;
  const Event event = signed_event(Draft{{1}, 1, {}, "x"});
  admission.remember(admitted(frame_of(event)));
  EXPECT_TRUE(admission.known(frame_of(event, std::string(64, 's'))));
  for (const std::string& frame :
       {frame_of(event, std::string(65, 's')), frame_of(event, ""), frame_of(event, "a\"b"),
        frame_of(event, "\u00e9"), std::string(" ") + frame_of(event), std::string(),
        std::string("[\"EVENT\",\"s"), frame_of(event).substr(0, 60),
        "[\"EVENT\",\"s\",{\"xid\":\"" + event.id.hex() + "\"}]"})
    EXPECT_FALSE(admission.known(frame)) << frame;
}

TEST(Admission, ForgetsTheOldestFirst) {
  Admission admission;
  const auto event = [](size_t i) {
    Event made;
    for (size_t k = 0; k < 4; ++k) made.id.bytes[k] = static_cast<uint8_t>(i >> (8 * k));
    return made;
  };
  constexpr size_t kExtra = 3;
  for (size_t i = 0; i < Admission::kIdsMax + kExtra; ++i)
    admission.remember(ModelWitness::vouch(event(i)));
  EXPECT_EQ(admission.size(), Admission::kIdsMax);
  for (size_t i = 0; i < kExtra; ++i) EXPECT_FALSE(admission.remembers(event(i).id)) << i;
  EXPECT_TRUE(admission.remembers(event(kExtra).id));
  EXPECT_TRUE(admission.remembers(event(Admission::kIdsMax + kExtra - 1).id));
}

TEST(Admission, RememberingTwiceTakesOnePlace) {
  Admission admission;
  const VerifiedEvent event = *verify(signed_event(Draft{{1}, 1, {}, ""}));
  admission.remember(event);
  admission.remember(event);
  EXPECT_EQ(admission.size(), 1u);
}

TEST(Admission, NeverCrashesOnDamagedFrames) {
  Admission admission;
  const Event event = signed_event(Draft{{1}, 1, {}, "x"});
  admission.remember(*verify(event));
  EXPECT_TRUE(rc::check([&] {
    const std::string frame = *damaged(frame_of(event));
    if (const auto known = admission.known(frame)) RC_ASSERT(known->id == event.id);
    // Damage may leave the event whole (in the subscription, say), never change it.
    const auto message = Admission::admit(frame);
    if (!message) return;
    if (const auto* it = std::get_if<EventFor<VerifiedEvent>>(&*message))
      RC_ASSERT(*it->event == event);
  }));
}

}  // namespace
}  // namespace paygress::nostr
