#include "core/market/template.h"

#include <array>

namespace paygress::market {
namespace {

constexpr std::array kRelayPorts = {TemplatePort{7777, "ws", "relay-ws"}};
constexpr std::array kRelayEnv = {TemplateVariable{"STRFRY_DB_PATH", "/app/strfry-db"},
                                  TemplateVariable{"RELAY_NAME", "paygress-relay"}};

constexpr std::array kInferencePorts = {TemplatePort{11434, "http", "ollama-http"}};
constexpr std::array kInferenceEnv = {TemplateVariable{"OLLAMA_HOST", "0.0.0.0:11434"},
                                      TemplateVariable{"OLLAMA_MODELS", "/root/.ollama/models"}};

constexpr std::array kBrowserPorts = {TemplatePort{3000, "http", "browserless-http"},
                                      TemplatePort{9222, "http", "cdp"}};
constexpr std::array kBrowserEnv = {TemplateVariable{"CONNECTION_TIMEOUT", "300000"},
                                    TemplateVariable{"MAX_CONCURRENT_SESSIONS", "10"}};

constexpr std::array kBitcoinPorts = {TemplatePort{8332, "bitcoin-rpc", "rpc"},
                                      TemplatePort{8333, "tcp", "p2p"}};
constexpr std::array kBitcoinEnv = {TemplateVariable{"BITCOIN_NETWORK", "regtest"},
                                    TemplateVariable{"BITCOIN_RPC_USER", "paygress"}};

constexpr std::array kAgentPorts = {TemplatePort{8080, "http", "sandbox-exec"}};
constexpr std::array kAgentEnv = {
    TemplateVariable{"WORKSPACE", "/workspace"}, TemplateVariable{"PYTHONUNBUFFERED", "1"},
    TemplateVariable{"NODE_ENV", "production"}, TemplateVariable{"EXEC_USER", ""},
    TemplateVariable{"EXEC_PASS", ""}};

constexpr std::array kOpenclawPorts = {TemplatePort{18789, "http", "openclaw-gateway"}};
constexpr std::array kOpenclawEnv = {TemplateVariable{"OPENCLAW_GATEWAY_PORT", "18789"},
                                     TemplateVariable{"OPENCLAW_GATEWAY_HOST", "0.0.0.0"},
                                     TemplateVariable{"OPENCLAW_CONFIG_DIR", "/data/.openclaw"}};

constexpr std::array kHelloPorts = {TemplatePort{8080, "http", "hello-http"}};

constexpr std::array kTemplates = {
    TemplateInfo{"nostr-relay", "dockurr/strfry:latest", kRelayPorts, kRelayEnv, "/app/strfry-db",
                 1'048'576, "basic", ReplicationKind::WarmStandby, 500, 512, 5, false},
    TemplateInfo{"inference-endpoint", "ollama/ollama:latest", kInferencePorts, kInferenceEnv,
                 "/root/.ollama", 0, "standard", ReplicationKind::Checkpointed, 2000, 4096, 20,
                 false},
    TemplateInfo{"headless-browser", "ghcr.io/browserless/chromium:latest", kBrowserPorts,
                 kBrowserEnv, "", 0, "basic", ReplicationKind::None, 1000, 1024, 5, false},
    TemplateInfo{"bitcoin-node", "btcpayserver/bitcoin:28.1", kBitcoinPorts, kBitcoinEnv, "/data",
                 0, "standard", ReplicationKind::Checkpointed, 1000, 2048, 50, false},
    TemplateInfo{"agent-sandbox", "ghcr.io/dhananjaypurohit/paygress-agent-sandbox:0.1.0",
                 kAgentPorts, kAgentEnv, "/workspace", 0, "basic", ReplicationKind::None, 500, 1024,
                 5, false},
    TemplateInfo{"openclaw", "ghcr.io/openclaw/openclaw:latest", kOpenclawPorts, kOpenclawEnv,
                 "/data/.openclaw", 0, "standard", ReplicationKind::Checkpointed, 1000, 2048, 5,
                 false},
    TemplateInfo{"hello",
                 "paygress/hello:1",
                 kHelloPorts,
                 {},
                 "",
                 0,
                 "basic",
                 ReplicationKind::None,
                 100,
                 64,
                 1,
                 true},
};

}  // namespace

std::span<const TemplateInfo> template_table() {
  return kTemplates;
}

const TemplateInfo* find_template(std::string_view slug) {
  for (const TemplateInfo& info : kTemplates)
    if (info.slug == slug) return &info;
  return nullptr;
}

TemplateKind template_kind(std::string_view slug) {
  const TemplateInfo* info = find_template(slug);
  if (info == nullptr) return TemplateKind::Unknown;
  return info->ours ? TemplateKind::Ours : TemplateKind::Network;
}

}  // namespace paygress::market
