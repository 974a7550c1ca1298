#include "core/base/ids.h"

namespace paygress {

SecretKey::~SecretKey() {
  volatile uint8_t* p = bytes.data();  // volatile: the compiler must not drop the wipe
  for (size_t i = 0; i < bytes.size(); ++i) p[i] = 0;
}

}  // namespace paygress
