// ioredis, unmodified, on both faces.
import Redis, { Cluster } from "ioredis";

import { ask, check, clusterPorts, equal, plainPorts, range, run, until } from "./npm_claims.mjs";

const KEYS = 500;
const connect = (port, more = {}) => {
  const client = new Redis({ port, ...more });
  client.on("error", () => {}); // A node that is down, which the claims are about.
  return client;
};
const clients = plainPorts.map((port) => connect(port));
let cluster;

async function values_come_back_through_another_node() {
  equal(await clients[0].set("io", "redis"), "OK", "SET");
  equal(await clients[1].get("io"), "redis", "GET");
  const bytes = Buffer.from(range(512).map((i) => i % 256));
  equal(await clients[0].set(bytes, bytes), "OK", "SET of bytes");
  check((await clients[2].getBuffer(bytes)).equals(bytes), "GET of bytes");
  equal(await clients[0].mset({ a: 1, b: 2 }), "OK", "MSET");
  equal(await clients[1].mget("a", "b", "no such key"), ["1", "2", null], "MGET");
  equal(await clients[1].del("a", "b", "c"), 2, "DEL");
  equal(await clients[0].set("brief", "v", "PX", 100000), "OK", "SET PX");
  check((await clients[2].pttl("brief")) > 0, "PTTL");
  equal(await clients[0].call("RF.SET", "causal", "v1").then(Boolean), true, "an own command");
}

async function pipelines_keep_their_order() {
  const pipeline = clients[0].pipeline();
  range(KEYS).forEach((i) => pipeline.set(`p:${i}`, i).get(`p:${i}`));
  const replies = await pipeline.exec();
  equal(replies.filter((_, i) => i % 2 === 1), range(KEYS).map((i) => [null, String(i)]), "replies");
  const all = await Promise.all(range(KEYS).map((i) => clients[i % 3].get(`p:${i}`)));
  equal(all, range(KEYS).map(String), "GET through all nodes at once");
}

async function a_refusal_is_an_error_of_one_command() {
  const refused = await clients[0].set("io", "x", "NX").catch((problem) => problem.message);
  check(String(refused).includes("nothing was written"), `SET NX: ${refused}`);
  equal(await clients[0].get("io"), "redis", "the value stays");
}

async function a_connection_comes_back_after_a_kill() {
  await ask("kill 3");
  const queued = until(20, () => clients[2].get("io")); // Waits in the client, for the most part.
  await ask("start 3");
  equal(await queued, "redis", "a command from the time without a connection");
  equal(await until(20, () => clients[2].set("io", "again")), "OK", "SET after it");
  equal(await clients[0].get("io"), "again", "and another node knows it");
}

async function databases_are_apart() {
  const five = connect(plainPorts[1], { db: 5 });
  equal(await five.get("io"), null, "database 5 is empty");
  equal(await five.set("io", "five"), "OK", "SET in database 5");
  equal(await clients[0].get("io"), "again", "database 0");
  five.disconnect();
}

async function the_cluster_client_finds_every_key() {
  cluster = new Cluster(clusterPorts.map((port) => ({ host: "127.0.0.1", port })));
  cluster.on("error", () => {});
  equal(await Promise.all(range(KEYS).map((i) => cluster.set(`c:${i}`, i))), range(KEYS).map(() => "OK"), "SET");
  equal(await Promise.all(range(KEYS).map((i) => cluster.get(`c:${i}`))), range(KEYS).map(String), "GET");
  equal(cluster.nodes("master").length, 3, "masters");
  equal(await cluster.mset({ "{t}1": 1, "{t}2": 2 }), "OK", "MSET in one slot");
  equal(await cluster.mget("{t}1", "{t}2"), ["1", "2"], "MGET in one slot");
  const pipeline = cluster.pipeline();
  range(100).forEach((i) => pipeline.set(`{same}${i}`, i).get(`{same}${i}`));
  equal((await pipeline.exec()).filter((_, i) => i % 2 === 1), range(100).map((i) => [null, String(i)]), "pipeline");
}

async function the_cluster_client_goes_on_without_a_node() {
  await ask("kill 2");
  for (const i of range(KEYS)) {
    equal(await until(20, () => cluster.get(`c:${i}`)), String(i), `GET c:${i} with a node down`);
  }
  equal(await until(20, () => cluster.set("while down", "v")), "OK", "SET with a node down");
  await ask("start 2");
  equal(await until(20, () => cluster.get("while down")), "v", "GET with the node back");
}

await run([
  values_come_back_through_another_node,
  pipelines_keep_their_order,
  a_refusal_is_an_error_of_one_command,
  a_connection_comes_back_after_a_kill,
  databases_are_apart,
  the_cluster_client_finds_every_key,
  the_cluster_client_goes_on_without_a_node,
]);
