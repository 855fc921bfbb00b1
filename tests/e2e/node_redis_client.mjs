// node-redis, unmodified, on both faces.
import { RESP_TYPES, createClient, createCluster } from "redis";

import { ask, check, clusterPorts, equal, late, plainPorts, range, run, until } from "./npm_claims.mjs";

const KEYS = 500;
const RETRY = { reconnectStrategy: 50 };
const connect = async (port, more = {}) => {
  const client = createClient({ socket: { host: "127.0.0.1", port, ...RETRY }, ...more });
  client.on("error", () => {}); // A node that is down, which the claims are about.
  await client.connect();
  return client;
};
const clients = await Promise.all(plainPorts.map((port) => connect(port)));
let cluster;

async function values_come_back_through_another_node() {
  equal(await clients[0].set("node", "redis"), "OK", "SET");
  equal(await clients[1].get("node"), "redis", "GET");
  const bytes = Buffer.from(range(512).map((i) => i % 256));
  equal(await clients[0].set(bytes, bytes), "OK", "SET of bytes");
  const raw = clients[2].withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  check((await raw.get(bytes)).equals(bytes), "GET of bytes");
  equal(await clients[0].mSet({ a: "1", b: "2" }), "OK", "MSET");
  equal(await clients[1].mGet(["a", "b", "no such key"]), ["1", "2", null], "MGET");
  equal(await clients[1].del(["a", "b", "c"]), 2, "DEL");
  equal(await clients[0].set("brief", "v", { expiration: { type: "PX", value: 100000 } }), "OK", "SET PX");
  check((await clients[2].pTTL("brief")) > 0, "PTTL");
  equal(typeof (await clients[0].sendCommand(["RF.EXPLAIN", "node"])), "object", "an own command");
}

async function resp2_and_resp3_answer_alike() {
  for (const RESP of [2, 3]) {
    const client = await connect(plainPorts[0], { RESP });
    equal(await client.get("node"), "redis", `GET in RESP${RESP}`);
    equal(await client.get("no such key"), null, `nothing in RESP${RESP}`);
    client.destroy();
  }
}

// Commands of one turn of the event loop travel as one pipeline.
async function pipelines_keep_their_order() {
  const replies = await Promise.all(
    range(KEYS).flatMap((i) => [clients[0].set(`p:${i}`, String(i)), clients[0].get(`p:${i}`)]),
  );
  equal(replies.filter((_, i) => i % 2 === 1), range(KEYS).map(String), "replies");
}

async function a_refusal_is_an_error_of_one_command() {
  const refused = await clients[0].set("node", "x", { condition: "NX" }).catch((problem) => problem.message);
  check(String(refused).includes("nothing was written"), `SET NX: ${refused}`);
  equal(await clients[0].get("node"), "redis", "the value stays");
}

async function a_connection_comes_back_after_a_kill() {
  await ask("kill 3");
  const queued = until(20, () => clients[2].get("node"));
  await ask("start 3");
  equal(await queued, "redis", "a command from the time without a connection");
  equal(await until(20, () => clients[2].set("node", "again")), "OK", "SET after it");
  equal(await clients[0].get("node"), "again", "and another node knows it");
}

async function scans_see_every_key() {
  const names = [];
  for await (const keys of clients[1].scanIterator({ MATCH: "p:*", COUNT: 50 })) {
    names.push(...keys);
  }
  equal(names.sort(), range(KEYS).map((i) => `p:${i}`).sort(), "SCAN");
}

async function the_cluster_client_finds_every_key() {
  cluster = createCluster({
    rootNodes: clusterPorts.map((port) => ({ socket: { host: "127.0.0.1", port } })),
    defaults: { socket: RETRY },
  });
  cluster.on("error", () => {});
  await cluster.connect();
  equal(cluster.masters.length, 3, "masters");
  equal(await Promise.all(range(KEYS).map((i) => cluster.set(`c:${i}`, String(i)))), range(KEYS).map(() => "OK"), "SET");
  equal(await Promise.all(range(KEYS).map((i) => cluster.get(`c:${i}`))), range(KEYS).map(String), "GET");
  equal(await cluster.mSet([["{t}1", "1"], ["{t}2", "2"]]), "OK", "MSET in one slot");
  equal(await cluster.mGet(["{t}1", "{t}2"]), ["1", "2"], "MGET in one slot");
}

// Keys of the dead node wait in the client's queue until it has fetched the new map.
async function the_cluster_client_goes_on_without_a_node() {
  await ask("kill 1");
  for (const i of range(KEYS)) {
    const get = () => Promise.race([cluster.get(`c:${i}`), late(1000)]);
    equal(await until(30, get), String(i), `GET c:${i} with a node down`);
  }
  await ask("start 1");
}

async function the_cluster_client_finds_every_key_after_a_restart() {
  await ask("kill 2");
  await ask("start 2");
  for (const i of range(KEYS)) {
    equal(await until(20, () => cluster.get(`c:${i}`)), String(i), `GET c:${i} after a restart`);
  }
  equal(await until(20, () => cluster.set("afterwards", "v")), "OK", "SET after a restart");
}

await run([
  values_come_back_through_another_node,
  resp2_and_resp3_answer_alike,
  pipelines_keep_their_order,
  a_refusal_is_an_error_of_one_command,
  a_connection_comes_back_after_a_kill,
  scans_see_every_key,
  the_cluster_client_finds_every_key,
  the_cluster_client_goes_on_without_a_node,
  the_cluster_client_finds_every_key_after_a_restart,
]);
