#include "keeper/admin.h"

Err admin_take(KeeperPeer *peer, const ChannelMessage *m)
{
    AdminCall call;

    (void)peer;
    TRY(unpack_admin_call(m->body, &call));
    return OK;
}
