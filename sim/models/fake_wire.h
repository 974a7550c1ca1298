// Reads the bodies of the fast tier, whose points are not on the curve: the readers of
// core/cashu/mint_wire.h rightly refuse those.
#pragma once

#include "core/cashu/mint_wire.h"

namespace paygress::sim {

Result<cashu::SwapRequest> read_fake_swap(std::string_view body);
Result<std::vector<cashu::Point>> read_fake_check(std::string_view body);
Result<std::vector<cashu::BlindedMessage>> read_fake_restore(std::string_view body);
Result<cashu::MintRequest> read_fake_mint(std::string_view body);
Result<cashu::MeltRequest> read_fake_melt(std::string_view body);

}  // namespace paygress::sim
