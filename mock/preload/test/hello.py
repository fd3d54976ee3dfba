#!/usr/bin/env python3
"""A VMM in Python with nothing but the standard library: the guest writes "Hello" to port 0x3f8 and halts."""
import ctypes
import fcntl
import mmap
import os
import struct
import sys

KVM_GET_API_VERSION = 0xAE00
KVM_CREATE_VM = 0xAE01
KVM_GET_VCPU_MMAP_SIZE = 0xAE04
KVM_CREATE_VCPU = 0xAE41
KVM_SET_USER_MEMORY_REGION = 0x4020AE46
KVM_RUN = 0xAE80
KVM_SET_REGS = 0x4090AE82
KVM_GET_SREGS = 0x8138AE83
KVM_SET_SREGS = 0x4138AE84
KVM_EXIT_IO, KVM_EXIT_HLT = 2, 5

# mov dx, 0x3f8; mov si, text; mov cx, 5; rep outsb; hlt; text: "Hello"
CODE = bytes([0xBA, 0xF8, 0x03, 0xBE, 0x0C, 0x10, 0xB9, 0x05, 0x00, 0xF3, 0x6E, 0xF4]) + b"Hello"


def main():
    kvm = os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    assert fcntl.ioctl(kvm, KVM_GET_API_VERSION, 0) == 12
    vm = fcntl.ioctl(kvm, KVM_CREATE_VM, 0)
    memory = mmap.mmap(-1, 0x1000)
    memory[: len(CODE)] = CODE
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    fcntl.ioctl(vm, KVM_SET_USER_MEMORY_REGION, struct.pack("IIQQQ", 0, 0, 0x1000, 0x1000, address))
    vcpu = fcntl.ioctl(vm, KVM_CREATE_VCPU, 0)
    run = mmap.mmap(vcpu, fcntl.ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0))
    sregs = bytearray(312)
    fcntl.ioctl(vcpu, KVM_GET_SREGS, sregs)
    sregs[0:8] = bytes(8)  # cs.base
    sregs[12:14] = bytes(2)  # cs.selector
    fcntl.ioctl(vcpu, KVM_SET_SREGS, bytes(sregs))
    fcntl.ioctl(vcpu, KVM_SET_REGS, struct.pack("18Q", *([0] * 16 + [0x1000, 2])))

    text = b""
    while True:
        fcntl.ioctl(vcpu, KVM_RUN, 0)
        (reason,) = struct.unpack_from("I", run, 8)
        if reason == KVM_EXIT_HLT:
            break
        if reason != KVM_EXIT_IO:
            sys.exit(f"exit reason {reason}")
        direction, size, port, count, offset = struct.unpack_from("BBHIQ", run, 32)
        assert (direction, size, port) == (1, 1, 0x3F8)
        text += run[offset : offset + size * count]
    print(text.decode())


main()
