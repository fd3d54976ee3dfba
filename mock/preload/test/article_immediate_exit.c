#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/ioctl.h>
#include <linux/kvm.h>

int main(int argc, char *argv[])
{
	int ret;

	/* Open KVM device */
	int kvm_fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm_fd == -1)
		err(1, "open /dev/kvm");

	/* Create VM */
	int vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, 0);
	if (vm_fd == -1)
		err(1, "KVM_CREATE_VM");

	/* Allocate guest memory */
	uint8_t *guest_mem = mmap(NULL, 0x1000, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (guest_mem == MAP_FAILED)
		err(1, "allocate geust memory");

	const uint8_t guest_code[] = {
		0xeb, 0xfe /* infinite loop: jump $-2 */
	};
	memcpy(guest_mem, guest_code, sizeof(guest_code));

	/* Map it to the second page frame (to avoid the real-mode IDT at 0) */
	struct kvm_userspace_memory_region region = {
		.slot = 0,
		.guest_phys_addr = 0x1000,
		.memory_size = 0x1000,
		.userspace_addr = (uint64_t)guest_mem,
	};
	ret = ioctl(vm_fd, KVM_SET_USER_MEMORY_REGION, &region);
	if (ret == -1)
		err(1, "KVM_SET_USER_MEMORY_REGION");

	/* Create vCPU */
	int vcpu_fd = ioctl(vm_fd, KVM_CREATE_VCPU, 0);
	if (vcpu_fd == -1)
		err(1, "KVM_CREATE_VCPU");

	/* Map kvm_run */
	ret = ioctl(kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (ret == -1)
		err(1, "KVM_GET_VCPU_MMAP_SIZE");
	size_t vcpu_mmap_size = ret;
	struct kvm_run *run = mmap(NULL, vcpu_mmap_size, PROT_READ | PROT_WRITE,
				   MAP_SHARED, vcpu_fd, 0);
	if (run == MAP_FAILED)
		err(1, "mmap vcpu");

	/* Initialize registers, instruction pointer for guest code */
	struct kvm_regs regs = {
		.rip = 0x1000,
	};
	ret = ioctl(vcpu_fd, KVM_SET_REGS, &regs);
	if (ret == -1)
		err(1, "KVM_SET_REGS");

	/* Initialize CS to point at 0 */
	struct kvm_sregs sregs;
	ret = ioctl(vcpu_fd, KVM_GET_SREGS, &sregs);
	if (ret == -1)
		err(1, "KVM_GET_SREGS");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	ret = ioctl(vcpu_fd, KVM_SET_SREGS, &sregs);
	if (ret == -1)
		err(1, "KVM_SET_SREGS");

	/* Run guest and handle VM exits */
	run->immediate_exit = 1;
	while (1) {
		ret = ioctl(vcpu_fd, KVM_RUN, 0);
		if (ret == -1)
			err(1, "KVM_RUN");

		switch (run->exit_reason) {
		default:
			err(1, "exit_reason = 0x%x", run->exit_reason);
		}
	}

	close(kvm_fd);
	return 0;
}
