/* Who may see which session. Private to keeper/. */
#ifndef KEEPER_ADMIN_SESSION_H
#define KEEPER_ADMIN_SESSION_H

#include "keeper/admin_call.h"

/* The session of argument `id`, if this caller may know of it; else fails with words. */
Err admin_session_find(AdminRun *run, StoreSession *ret) MUST_CHECK;
/* May this caller see what it saw: its owner, a reviewer of its resource, an auditor? */
bool admin_may_watch(const AdminRun *run, const StoreSession *session);

#endif
