/* config.running: the file as it is in force, for whoever compares another with it. It holds
 * references to secrets, never one. */
#include "keeper/admin_call.h"

#include "base/encode.h"
#include "base/text.h"

enum { PIECE_MAX = 16 << 10 }; /* sixfold, where JSON writes each byte as \u00.. */

static Err put_piece(AdminRun *run, Bytes piece)
{
    CLEANUP(buf_done) Buf row = { 0 };

    buf_init(&row, 6 * PIECE_MAX + 64);
    Json j = json_write_begin(&row);
    json_write_object(&j, NULL);
    json_write_string(&j, "yaml", piece);
    json_write_object_end(&j);
    TRY(json_write_end(&j));
    return admin_part(run, buf_view(&row));
}

Err admin_config_running(AdminRun *run)
{
    CLEANUP(buf_done) Buf hash = { 0 };
    const KeeperEdition *e = run->keeper->edition;
    Bytes rest = buf_view(&e->yaml);

    while (rest.len > 0) {
        const Bytes piece = utf8_upto(rest, PIECE_MAX);

        TRY(put_piece(run, piece));
        rest = bytes_from(rest, piece.len);
    }
    buf_init(&hash, 128);
    TRY(hex_encode(VIEW(e->policy_hash.bytes), &hash));
    Json j = json_write_begin(&run->result);
    json_write_object(&j, NULL);
    json_write_u64(&j, "epoch", e->epoch);
    json_write_string(&j, "policy_hash", buf_view(&hash));
    json_write_object_end(&j);
    return json_write_end(&j);
}
