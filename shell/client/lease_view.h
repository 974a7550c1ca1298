// Leases as the consumer keeps and prints them.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "core/consumer/wallet_state.h"
#include "core/market/messages.h"
#include "shell/client/failure.h"

namespace paygress::client {

// The lease of a pod id or a unique prefix of one; of `container-12` also "12". Empty: the one that
// was rented last. `provider`: its name, or the first characters of its key or npub; empty: any.
Outcome<consumer::LeaseSeen> find_lease(const consumer::WalletState& state, const std::string& pod,
                                        const std::string& provider);
// The request that `--resume` names.
Outcome<consumer::StoredRequest> find_request(const consumer::WalletState& state,
                                              const std::string& id);
// What `--provider` takes for this one: so much of its key that no other of the wallet's is meant.
std::string provider_id(const consumer::WalletState& state, const PubKey& provider);

// The password of AccessDetails: its field, or the line of the instructions in which providers of
// the existing network hide it. Empty when there is none.
std::string password_of(const market::AccessDetails& access);

// "ssh -p 30000 root@host"; empty without a port.
std::string ssh_command(const std::string& user, const std::string& host, uint16_t port);
// "http://host:port" and the like for each published port.
boost::json::array ports_json(const std::vector<market::TemplateAccessPort>& ports,
                              const std::string& host);
std::string port_line(const market::TemplateAccessPort& port, const std::string& host);

}  // namespace paygress::client
