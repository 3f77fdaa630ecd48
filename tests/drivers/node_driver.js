// Runs the cases it is given through node's pg; JSON in, JSON out. See cases.py for the steps.
const pg = require('pg');
const Cursor = require('pg-cursor');

const shown = (v) => v === null || v === undefined ? null
  : Buffer.isBuffer(v) ? 'bytes:' + v.toString('hex')
  : Array.isArray(v) ? v.map(shown)
  : v instanceof Date ? 'Date:' + v.toISOString()
  : typeof v === 'object' ? 'object:' + JSON.stringify(v) : typeof v + ':' + v;

const answer = (r) => r.fields.length ? { rows: r.rows.map((row) => row.map(shown)) } : { count: r.rowCount };

class Driver {
  constructor(at) {
    this.settings = { host: at.host, port: at.port, user: at.user, password: at.password, database: at.database };
  }

  async open() {
    this.pool = new pg.Pool({ ...this.settings, max: 1 });
    this.client = await this.pool.connect();
  }

  async ask(text, values = [], more = {}) {
    return answer(await this.client.query({ text, values, rowMode: 'array', ...more }));
  }

  query(text, values, form) { return this.ask(text, values, { binary: form === 'binary' }); }

  async repeat(text, sets) {
    const found = [];
    for (const values of sets) found.push(await this.ask(text, values, { name: 'again' }));
    return found;
  }

  begin() { return this.ask('BEGIN').then(() => ({})); }
  commit() { return this.ask('COMMIT').then(() => ({})); }
  rollback() { return this.ask('ROLLBACK').then(() => ({})); }
  savepoint(name) { return this.ask(`SAVEPOINT ${name}`).then(() => ({})); }
  rollback_to(name) { return this.ask(`ROLLBACK TO SAVEPOINT ${name}`).then(() => ({})); }

  async fetch(text, size) {
    const cursor = this.client.query(new Cursor(text));
    const total = [0, 0];
    for (;;) {
      const rows = await cursor.read(size);
      if (rows.length === 0) break;
      for (const row of rows) { total[0] += 1; total[1] += row.g; }
    }
    await cursor.close();
    return total;
  }

  // node's pg cancels from a second connection, with the key of the first.
  async cancel(text, after) {
    const timer = setTimeout(() => new pg.Client(this.settings).cancel(this.client, this.client.activeQuery), after * 1000);
    try { return await this.ask(text); } finally { clearTimeout(timer); }
  }

  // query_timeout only stops waiting: the connection has to be thrown away.
  async timeout(text, seconds) {
    const impatient = new pg.Client({ ...this.settings, query_timeout: seconds * 1000 });
    impatient.on('error', () => {});
    await impatient.connect();
    try { return answer(await impatient.query({ text, rowMode: 'array' })); } finally { impatient.connection.stream.destroy(); }
  }

  async reset() {
    this.client.release();
    this.client = await this.pool.connect();
    return this.ask('DISCARD ALL').then(() => ({}));
  }

  metadata() { return {}; }
  nest() { return {}; }

  async close() {
    this.client.release(true);
    await this.pool.end();
  }
}

async function main() {
  const asked = JSON.parse(require('fs').readFileSync(0, 'utf8'));
  const told = {};
  for (const { name, steps } of asked.cases) {
    const driver = new Driver(asked.at);
    try {
      await driver.open();
      told[name] = [];
      for (const [word, ...args] of steps) {
        try { told[name].push(await driver[word](...args) || {}); } catch (e) {
          told[name].push({ error: e.message, type: e.constructor.name });
        }
      }
      await driver.close();
    } catch (e) { told[name] = { failed: String(e) }; }
  }
  process.stdout.write(JSON.stringify(told));
}

main();
