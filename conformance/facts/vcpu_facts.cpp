// The state of a vcpu right after KVM_CREATE_VCPU, without an in-kernel interrupt controller.
#include <vector>

#include "conformance/facts/facts.hpp"
#include "kvmapi/system.hpp"

namespace conformance {

using namespace kvmapi;

namespace {

// Only bytes that are not zero: {"0x18": "801f0000"} by offset of 8-byte words.
Json sparse(std::span<const u8> bytes) {
  Json map = Json::object();
  for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
    const auto word = bytes.subspan(at, 8);
    if (std::ranges::any_of(word, [](u8 byte) { return byte != 0; })) map[hex(at)] = hex_bytes(word);
  }
  return map;
}

Json xcrs(const kvm_xcrs& xcrs) {
  Json map = Json::object();
  for (u32 i = 0; i < xcrs.nr_xcrs && i < xcrs.xcrs.size(); ++i) map[hex(xcrs.xcrs[i].xcr)] = hex(xcrs.xcrs[i].value);
  return map;
}

Json xsave(const System& system, const Vcpu& vcpu) {
  const Result<int> bytes = system.check_extension(Cap::Xsave2);
  std::vector<u8> area(bytes.ok() && *bytes > 4096 ? *bytes : 4096);
  const Result<int> result = bytes.ok() && *bytes > 0
                                 ? vcpu.get_xsave2(area)
                                 : vcpu.raw(Ioctl::GetXsave, static_cast<const void*>(area.data()));
  if (!result.ok()) return refusal(result.error());
  return {{"bytes", area.size()}, {"words", sparse(area)}};
}

Json reg_list(const Vcpu& vcpu) {
  RegList list(1024);
  const Result<int> result = vcpu.get_reg_list(list);
  if (!result.ok()) return refusal(result.error());
  Json ids = Json::array();
  for (const u64 id : list) ids.push_back(hex(id));
  return ids;
}

}  // namespace

Json vcpu_facts(Backend& backend, const char* device) {
  const Result<System> system = System::open(backend, device);
  if (!system.ok()) return refusal(system.error());
  const Result<Vm> vm = system->create_vm();
  if (!vm.ok()) return refusal(vm.error());
  const Result<Vcpu> vcpu = vm->create_vcpu(0);
  if (!vcpu.ok()) return refusal(vcpu.error());
  const auto json = [](const auto& value) { return to_json_value(value); };
  Json facts;
  facts["regs"] = value_or_refusal(vcpu->get_regs(), json);
  facts["sregs"] = value_or_refusal(vcpu->get_sregs(), json);
  facts["sregs2"] = value_or_refusal(vcpu->get_sregs2(), json);
  facts["fpu"] = value_or_refusal(vcpu->get_fpu(), json);
  facts["debugregs"] = value_or_refusal(vcpu->get_debugregs(), json);
  facts["xcrs"] = value_or_refusal(vcpu->get_xcrs(), xcrs);
  facts["xsave"] = xsave(*system, *vcpu);
  facts["events"] = value_or_refusal(vcpu->get_vcpu_events(), json);
  facts["mp_state"] = value_or_refusal(vcpu->get_mp_state(), [](kvm_mp_state s) { return s.mp_state; });
  facts["lapic"] = value_or_refusal(vcpu->get_lapic(), [](const kvm_lapic_state& s) { return sparse(s.regs); });
  Cpuid cpuid(256);
  const Result<int> table = vcpu->get_cpuid2(cpuid);
  facts["cpuid_entries"] = value_or_refusal(table, [&](int) { return cpuid.count(); });
  facts["reg_list"] = reg_list(*vcpu);
  return facts;
}

}  // namespace conformance
