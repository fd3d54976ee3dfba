// Ioctl rows: which request number calls which member function, how complete that is, and the one adapter between the
// raw argument of ioctl(2) and a function that sees values only. The shape of the function says how the argument
// travels:
//
//   Result<int> f()              the argument is ignored
//   Result<int> f(u64)           the argument itself
//   Result<int> f(const T&)      copied in
//   Result<int> f(T&)            copied in, and out again on success
//   Result<T> f()                copied out on success
//   void f(T&) const             fills it; copied out
//   Result<int> f(UserPointer)   lists with a header: the function copies
//
// A bad pointer is EFAULT. Tables: system_rows.cpp, vm_rows.cpp, vcpu_rows.cpp, device.cpp.
#pragma once

#include <array>
#include <cerrno>
#include <span>
#include <type_traits>

#include "kvmapi/ioctl.hpp"
#include "kvmapi/result.hpp"
#include "mock/profile/profile.hpp"
#include "mock/vm/context.hpp"
#include "mock/vm/user_memory.hpp"

namespace mock::vm {

enum class Support : u8 { full, partial, missing };

struct UserPointer {
  u64 address;
};

template <class Object>
struct Row {
  Ioctl id;
  Result<int> (*call)(Object&, u64);  // nullptr: not modelled
  int missing_errno;
  Support support;
  std::string_view note;
  KernelVersion since;  // kernels before it do not know the number
};

template <class O>
Result<int> adapt(O& object, u64, Result<int> (O::*member)()) {
  return (object.*member)();
}
template <class O>
Result<int> adapt(O& object, u64 argument, Result<int> (O::*member)(u64)) {
  return (object.*member)(argument);
}
template <class O>
Result<int> adapt(O& object, u64 argument, Result<int> (O::*member)(UserPointer)) {
  return (object.*member)(UserPointer{argument});
}
template <class O, class T>
Result<int> adapt(O& object, u64 argument, Result<int> (O::*member)(const T&)) {
  T value;
  if (!get_user(value, argument)) return err(EFAULT);
  return (object.*member)(value);
}
template <class O, class T>
requires(!std::is_const_v<T>) Result<int> adapt(O& object, u64 argument, Result<int> (O::*member)(T&)) {
  T value;
  if (!get_user(value, argument)) return err(EFAULT);
  Result<int> result = (object.*member)(value);
  if (result && !put_user(argument, value)) return err(EFAULT);
  return result;
}
template <class O, class T>
requires(!std::is_same_v<T, int>) Result<int> adapt(O& object, u64 argument, Result<T> (O::*member)()) {
  Result<T> result = (object.*member)();
  if (!result) return err(result.error());
  if (!put_user(argument, *result)) return err(EFAULT);
  return 0;
}
template <class O, class T>
Result<int> adapt(O& object, u64 argument, void (O::*member)(T&) const) {
  T value;
  (object.*member)(value);
  if (!put_user(argument, value)) return err(EFAULT);
  return 0;
}

template <auto Member>
struct Adapter {
  template <class O>
  static Result<int> call(O& object, u64 argument) {
    return adapt(object, argument, Member);
  }
};

#define ROW(id, member, support, note)                      \
  {                                                         \
    Ioctl::id, &Adapter<member>::call, 0, support, note, {} \
  }
#define ROW_SINCE(major, minor, id, member, support, note)                \
  {                                                                       \
    Ioctl::id, &Adapter<member>::call, 0, support, note, { major, minor } \
  }
#define MISSING(id, error, note)                          \
  {                                                       \
    Ioctl::id, nullptr, error, Support::missing, note, {} \
  }

// Finds a row by request number: a chain per low byte, filled once.
template <class Object>
class RowIndex {
 public:
  explicit RowIndex(std::span<const Row<Object>> rows) : rows_(rows) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      u8& head = heads_[number(rows[i].id) & 0xff];
      next_[i] = head;
      head = static_cast<u8>(i + 1);
    }
  }
  const Row<Object>* find(u32 request) const {
    for (u8 i = heads_[request & 0xff]; i; i = next_[i - 1])
      if (number(rows_[i - 1].id) == request) return &rows_[i - 1];
    return nullptr;
  }

 private:
  std::span<const Row<Object>> rows_;
  std::array<u8, 256> heads_{};
  std::array<u8, 255> next_{};
};

// One note for a call that found no function, with the reason.
void note_unmodelled(const Context& context, FdKind kind, u32 request, std::string_view note);

// Calls the row of `request`; `unknown_errno` when this kernel has none on such a descriptor.
template <class Object>
Result<int> dispatch(const RowIndex<Object>& index, Object& object, const Context& context, FdKind kind, u32 request,
                     u64 argument, int unknown_errno) {
  const Row<Object>* row = index.find(request);
  if (!row || context.profile->kernel < row->since) {
    note_unmodelled(context, kind, request, "");
    return err(unknown_errno);
  }
  if (!row->call) {
    note_unmodelled(context, kind, request, row->note);
    return err(row->missing_errno);
  }
  return row->call(object, argument);
}

}  // namespace mock::vm
