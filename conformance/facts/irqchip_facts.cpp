// The chips of KVM_CREATE_IRQCHIP and KVM_CREATE_PIT2 right after creation, and what they change in a fresh vcpu: the
// boot CPU (id 0) and another one (id 1).
#include "conformance/facts/facts.hpp"
#include "kvmapi/system.hpp"

namespace conformance {

using namespace kvmapi;

namespace {

Json lapic_registers(const kvm_lapic_state& state) {
  Json map = Json::object();
  for (std::size_t at = 0; at < state.regs.size(); at += 16) {
    u32 value = 0;
    std::memcpy(&value, &state.regs[at], sizeof value);
    if (value != 0) map[hex(at)] = hex(value);
  }
  return map;
}

Json vcpu_with_chip(const Vm& vm, u32 id) {
  const Result<Vcpu> vcpu = vm.create_vcpu(id);
  if (!vcpu.ok()) return refusal(vcpu.error());
  Json facts;
  facts["mp_state"] = value_or_refusal(vcpu->get_mp_state(), [](kvm_mp_state s) { return s.mp_state; });
  facts["apic_base"] = value_or_refusal(vcpu->get_sregs(), [](const kvm_sregs& s) { return hex(s.apic_base); });
  facts["lapic"] = value_or_refusal(vcpu->get_lapic(), lapic_registers);
  return facts;
}

}  // namespace

Json irqchip_facts(Backend& backend, const char* device) {
  const Result<System> system = System::open(backend, device);
  if (!system.ok()) return refusal(system.error());
  const Result<Vm> vm = system->create_vm();
  if (!vm.ok()) return refusal(vm.error());
  if (const Result<int> created = vm->create_irqchip(); !created.ok()) return refusal(created.error());
  Json facts;
  const auto pic = [](const kvm_irqchip& chip) { return to_json_value(chip.chip.as<kvm_pic_state>()); };
  facts["pic_master"] = value_or_refusal(vm->get_irqchip(0), pic);
  facts["pic_slave"] = value_or_refusal(vm->get_irqchip(1), pic);
  facts["ioapic"] = value_or_refusal(
      vm->get_irqchip(2), [](const kvm_irqchip& chip) { return to_json_value(chip.chip.as<kvm_ioapic_state>()); });
  facts["vcpu0"] = vcpu_with_chip(*vm, 0);
  facts["vcpu1"] = vcpu_with_chip(*vm, 1);
  if (const Result<int> created = vm->create_pit2(); !created.ok()) {
    facts["pit"] = refusal(created.error());
  } else {
    facts["pit"] = value_or_refusal(vm->get_pit2(), [](const kvm_pit_state2& pit) {
      Json state = {{"flags", hex(pit.flags)}, {"channels", Json::array()}};
      for (kvm_pit_channel_state channel : pit.channels) {
        channel.count_load_time = 0;  // a time of the host
        state["channels"].push_back(to_json_value(channel));
      }
      return state;
    });
  }
  return facts;
}

}  // namespace conformance
