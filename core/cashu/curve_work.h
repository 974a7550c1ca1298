// Carries out the effects of redeem.h that need curve arithmetic. Pure and thread-safe: the shell
// runs them on its pool, the simulator inline.
#pragma once

#include "core/cashu/nut13.h"
#include "core/cashu/redeem.h"

namespace paygress::cashu {

// Derives (NUT-13) and blinds one output for each amount, counters in order, and writes the body of
// POST /v1/swap, or of POST /v1/melt. The same work gives the same bytes. `outputs` and `body` are
// empty when the keyset id is malformed or a counter is not below 2^31: then nothing may be sent.
OutputsReady make_outputs(const MakeOutputs& work, const WalletSeed& seed);

// signatures[i] must answer outputs[i]: same count, id and amount, a key of the mint for the
// amount, and a valid DLEQ. `problem` names the first that does not. Then `proofs` is empty, except
// when only DLEQs are missing or wrong: the proofs are still unblinded, for quarantine, because the
// inputs are gone whatever the mint signed with. They must not be credited while `problem` is set.
// Outputs that are not those of (seed, keyset, counters) are a problem too.
ProofsReady open_signatures(const OpenSignatures& work, const WalletSeed& seed);

// Checks in the order of cost and stops at the first bad proof: a known keyset and amount, no
// secret twice, C on the curve, then DLEQ where it is present with r. `ys` is complete only when
// `problem` is empty. A proof without DLEQ passes: only the mint's swap is final.
TokenChecked check_token(const CheckToken& work);

}  // namespace paygress::cashu
