#include "sim/models/fake_wire.h"

#include <boost/json.hpp>

namespace paygress::sim {
namespace {

namespace json = boost::json;

Result<json::object> read_object(std::string_view body) {
  boost::system::error_code error;
  json::value value = json::parse(json::string_view(body.data(), body.size()), error);
  if (error || !value.is_object()) return fail("not a JSON object");
  return std::move(value.get_object());
}

std::string text_of(const json::value* value) {
  if (!value || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

cashu::Amount amount_of(const json::value* value) {
  boost::system::error_code error;
  return value ? value->to_number<cashu::Amount>(error) : 0;
}

std::optional<cashu::Point> point_of(const json::value* value) {
  cashu::Point point{};
  if (!from_lower_hex(text_of(value), point)) return std::nullopt;
  return point;
}

// Every element of the list `name`, read by `read`, which gives nothing for a bad one.
template <class T, class Read>
Result<std::vector<T>> list_of(const json::object& object, std::string_view name, Read read) {
  const json::value* list = object.if_contains(json::string_view(name.data(), name.size()));
  if (!list || !list->is_array()) return fail("not a list", std::string(name));
  if (list->get_array().size() > cashu::kRequestItemsMax)
    return fail("too long", std::string(name));
  std::vector<T> items;
  for (const json::value& element : list->get_array()) {
    auto item = read(element);
    if (!item) return fail("malformed element", std::string(name));
    items.push_back(std::move(*item));
  }
  return items;
}

Result<std::vector<cashu::BlindedMessage>> outputs_of(const json::object& object) {
  return list_of<cashu::BlindedMessage>(
      object, "outputs", [](const json::value& element) -> std::optional<cashu::BlindedMessage> {
        if (!element.is_object()) return std::nullopt;
        const json::object& output = element.get_object();
        const auto b = point_of(output.if_contains("B_"));
        if (!b) return std::nullopt;
        return cashu::BlindedMessage{amount_of(output.if_contains("amount")),
                                     text_of(output.if_contains("id")), *b};
      });
}

Result<std::vector<cashu::Proof>> inputs_of(const json::object& object) {
  return list_of<cashu::Proof>(object, "inputs",
                               [](const json::value& element) -> std::optional<cashu::Proof> {
                                 if (!element.is_object()) return std::nullopt;
                                 const json::object& input = element.get_object();
                                 const auto c = point_of(input.if_contains("C"));
                                 if (!c) return std::nullopt;
                                 return cashu::Proof{amount_of(input.if_contains("amount")),
                                                     text_of(input.if_contains("id")),
                                                     text_of(input.if_contains("secret")),
                                                     *c,
                                                     {},
                                                     std::nullopt};
                               });
}

}  // namespace

Result<cashu::SwapRequest> read_fake_swap(std::string_view body) {
  const auto object = read_object(body);
  if (!object) return std::unexpected(object.error());
  auto inputs = inputs_of(*object);
  if (!inputs) return std::unexpected(inputs.error());
  auto outputs = outputs_of(*object);
  if (!outputs) return std::unexpected(outputs.error());
  return cashu::SwapRequest{std::move(*inputs), std::move(*outputs)};
}

Result<std::vector<cashu::Point>> read_fake_check(std::string_view body) {
  const auto object = read_object(body);
  if (!object) return std::unexpected(object.error());
  return list_of<cashu::Point>(*object, "Ys",
                               [](const json::value& element) { return point_of(&element); });
}

Result<std::vector<cashu::BlindedMessage>> read_fake_restore(std::string_view body) {
  const auto object = read_object(body);
  if (!object) return std::unexpected(object.error());
  return outputs_of(*object);
}

Result<cashu::MintRequest> read_fake_mint(std::string_view body) {
  const auto object = read_object(body);
  if (!object) return std::unexpected(object.error());
  auto outputs = outputs_of(*object);
  if (!outputs) return std::unexpected(outputs.error());
  return cashu::MintRequest{text_of(object->if_contains("quote")), std::move(*outputs)};
}

Result<cashu::MeltRequest> read_fake_melt(std::string_view body) {
  const auto object = read_object(body);
  if (!object) return std::unexpected(object.error());
  auto inputs = inputs_of(*object);
  if (!inputs) return std::unexpected(inputs.error());
  auto outputs = outputs_of(*object);
  if (!outputs) return std::unexpected(outputs.error());
  return cashu::MeltRequest{text_of(object->if_contains("quote")), std::move(*inputs),
                            std::move(*outputs)};
}

}  // namespace paygress::sim
