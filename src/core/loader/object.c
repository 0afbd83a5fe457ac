/* A module's shared object: mapped, its descriptor found and checked. */
#include "core/config/module_file.h"
#include "core/loader/modules.h"

#include <dlfcn.h>
#include <stdio.h>

/* The descriptor begins with size and abi in every version of it; nothing else may be read before both fit. */
static int descriptor_check(const struct ast_sip_module *m, const struct ast_sip_module_info *info,
			    struct loader_why *why)
{
	if (info->abi != AST_SIP_MODULE_ABI) {
		loader_why_set(why, "%s was built for module ABI %u, this server has %u: build it again", m->name,
			       info->abi, AST_SIP_MODULE_ABI);
		return -1;
	}
	if (info->size != sizeof(*info)) {
		loader_why_set(why, "the descriptor of %s has %u bytes, this server's has %zu: build it again", m->name,
			       info->size, sizeof(*info));
		return -1;
	}
	if (!info->name || !info->load || !info->self) {
		loader_why_set(why, "the descriptor of %s lacks its name or load function", m->name);
		return -1;
	}
	if (strcasecmp(info->name, m->name) != 0) {
		loader_why_set(why, "the file %s.so holds a module named %s", m->name, info->name);
		return -1;
	}
	return 0;
}

int module_open(struct ast_sip_module *m, const char *dir, struct loader_why *why)
{
	const struct ast_sip_module_info *info;
	char path[4096];
	void *handle;

	if (m->handle)
		return 0;
	if (!loader_file_exists(dir, m->name)) {
		loader_why_set(why, "there is no module %s", m->name);
		return -1;
	}
	snprintf(path, sizeof(path), "%s/%s.so", dir, m->name);
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		const char *text = dlerror();

		loader_why_set(why, "%s cannot be mapped: %s", m->name, text ? text : "no reason given");
		return -1;
	}
	info = dlsym(handle, "ast_sip_module_info");
	if (!info) {
		loader_why_set(why, "%s is no module of res_sip: it has no descriptor", m->name);
		dlclose(handle);
		return -1;
	}
	if (descriptor_check(m, info, why)) {
		dlclose(handle);
		return -1;
	}
	m->handle = handle;
	m->info = info;
	*info->self = m;
	atomic_store(&m->state, MODULE_OPEN);
	return 0;
}

void module_close(struct ast_sip_module *m)
{
	void *handle = m->handle;

	/* Earlier snapshots may still have objects of its files: what it made of them goes while its code is there. */
	ast_sip_conf_files_remove(m);
	ast_sip_conf_files_sever(m);
	hold_reset(&m->holds);
	m->info = NULL;
	m->handle = NULL;
	if (atomic_load(&m->state) != MODULE_DECLINED)
		atomic_store(&m->state, MODULE_CLOSED);
	if (handle)
		dlclose(handle);
}
