#include "tests/sim/provider/cluster.h"

#include <stdexcept>
#include <utility>

#include "core/cashu/token.h"
#include "tests/sim/provider/folding.h"

namespace paygress::sim {
namespace {

constexpr Micros kLeg{40'000};    // one way, of every frame
constexpr Micros kLook{100'000};  // how often it is looked which copies run
constexpr uint64_t kOwnerConnection = uint64_t{1} << 40;

InstallId install_of(size_t i) {
  InstallId id;
  id.bytes[0] = 7;
  id.bytes[1] = static_cast<uint8_t>(i);
  return id;
}

BackendModelConfig engine_config(size_t i) {
  BackendModelConfig config;
  config.install = install_of(i);
  config.capacity = {1'000'000, 1'000'000, 1'000'000};
  return config;
}

}  // namespace

struct Cluster::Node {
  Node(size_t place, provider::Settings sells)
      : index(place),
        self(Tier::Fast, place + 1),
        settings(std::move(sells)),
        engine(engine_config(place), 11, place + 1),
        entropy(11, place + 1, "cluster node") {
    settings.self = self.key;
    boot.bytes[0] = static_cast<uint8_t>(place + 1);
  }
  size_t index;
  Identity self;
  provider::Settings settings;
  BackendModel engine;
  GuardModel guard{{}, engine};
  SeededEntropy entropy;
  lease::BootId boot;
  std::unique_ptr<provider::Provider> core;
  std::vector<std::vector<provider::Record>> ledger;
  std::optional<size_t> crash_after;
  std::map<nostr::LinkId, ConnectionId> connections;
  std::vector<market::Reply> replies;
  std::vector<std::string> alarms;
  std::set<EventId> replied;
  uint64_t life = 0;
  std::optional<Micros> timer;
  bool hung = false;
  bool cut = false;
  std::vector<provider::Input> backlog;
};

Cluster::Cluster(size_t providers, size_t relays, provider::Settings settings)
    : mint_({}, crypto_->mint_crypto()) {
  for (size_t i = 0; i < relays; ++i) {
    urls_.push_back("wss://relay-" + std::to_string(i) + ".example");
    RelayOptions options;
    options.url = urls_.back();
    relays_.push_back(std::make_unique<RelayModel>(
        options, [this](const nostr::Event& event) { return crypto_->check(event); }));
  }
  settings.relays = urls_;
  for (size_t i = 0; i < providers; ++i) {
    settings.name = "member-" + std::to_string(i);
    nodes_.push_back(std::make_unique<Node>(i, settings));
    members.push_back(i);
  }
  // The owner listens to everything that is for it.
  for (size_t i = 0; i < relays; ++i) {
    const ConnectionId connection{kOwnerConnection + i};
    relays_[i]->connect(connection);
    nostr::Filter inbox;
    inbox.kinds = {nostr::kind::kGiftWrap};
    inbox.tags["p"] = {owner_.key.hex()};
    relays_[i]->handle(now().wall, connection, nostr::Subscribe{"inbox", {inbox}});
  }
  watch();
}

Cluster::~Cluster() = default;

Now Cluster::now() const {
  return {kBoot + queue_.now(), kRigStart + Seconds{queue_.now().value / 1'000'000}};
}

void Cluster::run_for(Seconds time) {
  run_until([] { return false; }, time);
}

bool Cluster::run_until(const std::function<bool()>& what, Seconds at_most) {
  const Micros until = queue_.now() + micros(at_most);
  while (queue_.next() <= until) {
    queue_.run_one();
    if (what()) return true;
  }
  return false;
}

// --- what is so ----------------------------------------------------------------------------------

std::set<size_t> Cluster::running() const {
  std::set<size_t> found;
  for (const auto& node : nodes_)
    for (const std::string& name : node->engine.running_names(now()))
      if (node->engine.running(name, now()) == workload::Running::Running)
        found.insert(node->index);
  return found;
}

std::vector<std::string> Cluster::objects(size_t i) {
  workload::Call list;
  list.verb = workload::Verb::List;
  list.deadline = Micros{30'000'000};
  std::vector<std::string> names;
  const BackendReply reply = nodes_.at(i)->engine.handle(list, now());
  for (const auto& object : reply.answer.value().objects) names.push_back(object.name);
  return names;
}

void Cluster::watch() {
  most_ = std::max(most_, running().size());
  queue_.after(kLook, [this] { watch(); });
}

provider::Provider& Cluster::core(size_t i) { return *nodes_.at(i)->core; }
bool Cluster::up(size_t i) const { return nodes_.at(i)->core != nullptr; }
GuardModel& Cluster::guard(size_t i) { return nodes_.at(i)->guard; }
BackendModel& Cluster::engine(size_t i) { return nodes_.at(i)->engine; }
PubKey Cluster::key(size_t i) const { return nodes_.at(i)->self.key; }
size_t Cluster::batches(size_t i) const { return nodes_.at(i)->ledger.size(); }
void Cluster::crash_after(size_t i, size_t batches) { nodes_.at(i)->crash_after = batches; }
RelayModel& Cluster::relay(size_t i) { return *relays_.at(i); }
const std::vector<std::string>& Cluster::alarms(size_t i) const { return nodes_.at(i)->alarms; }

// --- the providers' processes --------------------------------------------------------------------

void Cluster::start(size_t i) {
  Node& node = *nodes_.at(i);
  ++node.life;
  node.timer.reset();
  node.hung = false;
  node.backlog.clear();
  node.core = read_ledger(node.ledger, [&] {
    return std::make_unique<provider::Provider>(node.settings, node.entropy, 11 + i);
  });
  auto first = node.core->start(now(), {install_of(i), node.boot, "seed"});
  if (!first) throw std::runtime_error(to_string(first.error()));
  const uint64_t life = node.life;
  carry_out(node, *std::move(first));
  if (life == node.life) answer(node, kSoon, workload::GuardHealth{true, ""});
}

void Cluster::start_all() {
  for (size_t i = 0; i < nodes_.size(); ++i) start(i);
}

void Cluster::kill(size_t i) {
  Node& node = *nodes_.at(i);
  ++node.life;
  node.core.reset();
  for (const auto& [link, connection] : node.connections) {
    relays_.at(connection.value % relays_.size())->disconnect(connection);
    links_.erase(connection);
  }
  node.connections.clear();
}

void Cluster::lose_host(size_t i) {
  kill(i);
  Node& node = *nodes_.at(i);
  node.engine.reboot_host(now());
  node.guard.reboot_host();
  ++node.boot.bytes[1];
}

void Cluster::hang(size_t i, bool hung) {
  Node& node = *nodes_.at(i);
  node.hung = hung;
  if (hung) return;
  for (auto& input : std::exchange(node.backlog, {})) answer(node, kSoon, std::move(input));
  node.timer.reset();
  arm_timer(node);
}

void Cluster::cut(size_t i, bool cut) { nodes_.at(i)->cut = cut; }

void Cluster::restart_relay(size_t i) {
  relays_.at(i)->restart();
  std::vector<std::pair<Node*, nostr::LinkId>> lost;
  for (const auto& [connection, end] : links_)
    if (connection.value % relays_.size() == i) lost.push_back(end);
  for (const auto& [node, link] : lost) {
    links_.erase(node->connections.at(link));
    node->connections.erase(link);
    answer(*node, kLeg, provider::LinkLost{link, nostr::LinkDown::Closed, "restarted"});
  }
  const ConnectionId connection{kOwnerConnection + i};
  relays_[i]->connect(connection);
  nostr::Filter inbox;
  inbox.kinds = {nostr::kind::kGiftWrap};
  inbox.tags["p"] = {owner_.key.hex()};
  relays_[i]->handle(now().wall, connection, nostr::Subscribe{"inbox", {inbox}});
}

void Cluster::step(Node& node, const provider::Input& input) {
  if (!node.core) return;
  if (node.hung) return node.backlog.push_back(input);
  carry_out(node, node.core->step(now(), input));
  if (node.core) node.core->check_invariants();
}

void Cluster::answer(Node& node, Micros after, provider::Input input) {
  queue_.after(after, [this, &node, life = node.life, input = std::move(input)] {
    if (life == node.life) step(node, input);
  });
}

void Cluster::arm_timer(Node& node) {
  const auto next = node.core->next_deadline();
  if (!next || (node.timer && *node.timer <= *next)) return;
  node.timer = *next;
  const Micros wait = std::max(Micros{0}, *next - now().mono);
  queue_.after(wait, [this, &node, life = node.life, due = *next] {
    if (life != node.life || node.timer != due || node.hung) return;
    node.timer.reset();
    step(node, provider::Tick{});
  });
}

void Cluster::carry_out(Node& node, provider::Step out) {
  if (!out.records.empty()) node.ledger.push_back(out.records);
  if (node.crash_after && node.ledger.size() >= *node.crash_after) {
    node.crash_after.reset();
    kill(node.index);
    return start(node.index);
  }
  const uint64_t life = node.life;
  const auto perform = [&](const auto& e) {
    using T = std::decay_t<decltype(e)>;
    if constexpr (std::is_same_v<T, provider::OpenLink>) {
      for (size_t i = 0; i < urls_.size(); ++i) {
        if (urls_[i] != e.url) continue;
        const ConnectionId connection{next_connection_++ * urls_.size() + i};
        node.connections[e.link] = connection;
        links_[connection] = {&node, e.link};
        answer(node, kLeg, provider::LinkUp{e.link});
        return deliver(i, relays_[i]->connect(connection));
      }
      answer(node, kLeg, provider::LinkLost{e.link, nostr::LinkDown::Failed, "no such relay"});
    } else if constexpr (std::is_same_v<T, provider::CloseLink>) {
      const auto it = node.connections.find(e.link);
      if (it == node.connections.end()) return;
      relays_[it->second.value % urls_.size()]->disconnect(it->second);
      links_.erase(it->second);
      node.connections.erase(it);
    } else if constexpr (std::is_same_v<T, provider::PingLink>) {
      if (!node.cut && node.connections.contains(e.link))
        answer(node, kLeg + kLeg, provider::Pong{e.link});
    } else if constexpr (std::is_same_v<T, provider::SendFrame>) {
      const auto it = node.connections.find(e.link);
      if (it == node.connections.end() || node.cut) return;
      queue_.after(kLeg, [this, connection = it->second, message = e.message] {
        if (!links_.contains(connection)) return;
        const size_t i = connection.value % urls_.size();
        deliver(i, relays_[i]->handle(now().wall, connection, message));
      });
    } else if constexpr (std::is_same_v<T, provider::SignEvent>) {
      answer(node, kSoon,
             provider::EventSigned{e.id, crypto_->sign(node.self, e.draft, node.entropy)});
    } else if constexpr (std::is_same_v<T, provider::SealReply>) {
      answer(node, kSoon,
             provider::ReplySealed{e.id,
                                   crypto_->seal(node.self, e.to, e.transport, e.reply_to, e.json,
                                                 e.at, e.at, node.entropy),
                                   ""});
    } else if constexpr (std::is_same_v<T, cashu::MintCall>) {
      token_calls_ += is_about_token(e);
      const auto deliveries = mint_.serve(queue_.now(), e);
      for (const MintDelivery& d : deliveries)
        answer(node, d.after, cashu::MintReply{e.id, d.answer});
      if (deliveries.empty()) answer(node, e.deadline, cashu::MintReply{e.id, cashu::NoReply{}});
    } else if constexpr (std::is_same_v<T, cashu::MakeOutputs>) {
      answer(node, kSoon, crypto_->make_outputs(e, node.self));
    } else if constexpr (std::is_same_v<T, cashu::OpenSignatures>) {
      answer(node, kSoon, crypto_->open_signatures(e, node.self));
    } else if constexpr (std::is_same_v<T, cashu::CheckToken>) {
      answer(node, kSoon, crypto_->check_token(e));
    } else if constexpr (std::is_same_v<T, workload::Call>) {
      const BackendReply reply = node.engine.handle(e, now());
      if (reply.answer && reply.due < now().mono + e.deadline)
        return answer(node, reply.due - now().mono, *reply.answer);
      workload::Answer unknown;
      unknown.id = e.id;
      unknown.verb = e.verb;
      unknown.name = e.name;
      answer(node, e.deadline, unknown);
    } else if constexpr (std::is_same_v<T, provider::Tell>) {
      if (e.level == provider::Level::Alarm) node.alarms.push_back(e.text);
    } else if constexpr (std::is_same_v<T, provider::WithdrawalSettled> ||
                         std::is_same_v<T, provider::FetchInvoice> ||
                         std::is_same_v<T, provider::WalletSearched> ||
                         std::is_same_v<T, provider::ReleaseSettled>) {
      PG_CHECK(false);  // nobody here takes money out
    } else if constexpr (std::is_same_v<T, provider::KeepVolumeKey>) {
      PG_CHECK(!e.key);  // nobody here asks for an encrypted disk
    } else {
      const GuardReply reply = node.guard.handle(e, now());
      answer(node, reply.due - now().mono, reply.answer);
    }
  };
  for (const auto& effect : out.effects) {
    if (life != node.life) return;
    std::visit(perform, effect);
  }
  arm_timer(node);
}

// --- relays --------------------------------------------------------------------------------------

void Cluster::deliver(size_t relay, RelayModel::Replies replies) {
  for (auto& [to, message] : replies) {
    if (to.value >= kOwnerConnection) {
      const auto* event = std::get_if<nostr::EventFor<nostr::Event>>(&message);
      if (event == nullptr) continue;
      const auto opened = crypto_->open(owner_, crypto_->verify(event->event).value());
      if (!opened) continue;
      auto reply = market::parse_reply(opened->text);
      for (auto& node : nodes_)
        if (reply && node->self.key == opened->sender &&
            node->replied.insert(event->event.id).second)
          node->replies.push_back(*reply);
      continue;
    }
    queue_.after(kLeg, [this, connection = to, said = std::move(message)] {
      const auto it = links_.find(connection);
      if (it == links_.end() || it->second.first->cut) return;
      hear(*it->second.first, it->second.second, said);
    });
  }
  static_cast<void>(relay);
}

void Cluster::hear(Node& node, nostr::LinkId link, const nostr::WireMessage& message) {
  if (!node.core) return;
  provider::RelaySaid said{link, nostr::Notice{}, std::nullopt};
  if (const auto* event = std::get_if<nostr::EventFor<nostr::Event>>(&message)) {
    if (node.core->delivered(event->event.id)) {
      said.message = nostr::KnownEvent{event->subscription, event->event.id};
      return step(node, said);
    }
    const nostr::VerifiedEvent verified = crypto_->verify(event->event).value();
    if (auto opened = crypto_->open(node.self, verified)) {
      provider::PrivateMessage& m = said.opened.emplace();
      m.sender = opened->sender;
      m.message = opened->message;
      m.event = verified->id;
      m.created_at = opened->created_at;
      provider::read_body(opened->text, m);
    }
    said.message = nostr::EventFor<nostr::VerifiedEvent>{event->subscription, verified};
    return step(node, said);
  }
  std::visit(
      [&](const auto& m) {
        if constexpr (std::is_constructible_v<nostr::RelayMessage, decltype(m)>) said.message = m;
      },
      message);
  step(node, said);
}

// --- the owner -----------------------------------------------------------------------------------

market::SpawnRequest Cluster::request(uint64_t sats) {
  market::SpawnRequest r;
  r.cashu_token = cashu::encode_token(mint_.issue_token(sats), cashu::TokenVersion::V4).value();
  r.pod_spec_id = "basic";
  r.pod_image = "debian:12";
  r.ssh_username = "root";
  r.ssh_password = "abcdefgh1234";
  r.workload_id = workload;
  r.primary_npub = key(members.front()).hex();
  market::ReplicationMode mode;
  mode.mode = market::ReplicationKind::WarmStandby;
  for (size_t i = 1; i < members.size(); ++i)
    mode.standby_providers.push_back(key(members[i]).hex());
  r.replication = mode;
  if (say_relays) r.relays = urls_;
  return r;
}

void Cluster::ask(size_t i, const market::Request& what) {
  const nostr::Event event =
      crypto_->seal(owner_, key(i), provider::Transport::Nip17, {}, market::to_json(what),
                    now().wall, now().wall, owner_entropy_);
  for (size_t r = 0; r < relays_.size(); ++r) put_on(r, event);
}

void Cluster::publish(size_t i, const nostr::Draft& draft, const std::vector<size_t>& relays) {
  const nostr::Event event = crypto_->sign(nodes_.at(i)->self, draft, nodes_.at(i)->entropy);
  for (const size_t r : relays) put_on(r, event);
}

void Cluster::put_on(size_t relay, const nostr::Event& event) {
  deliver(relay, relays_.at(relay)->handle(now().wall, ConnectionId{kOwnerConnection + relay},
                                           nostr::Publish{event}));
}

const std::vector<market::Reply>& Cluster::replies(size_t i) const { return nodes_.at(i)->replies; }

bool Cluster::buy_all(uint64_t sats) {
  for (const size_t i : members) ask(i, request(sats));
  return run_until(
      [&] {
        for (const size_t i : members)
          if (of_type<market::AccessDetails>(i).empty()) return false;
        return true;
      },
      Seconds{120});
}

}  // namespace paygress::sim
