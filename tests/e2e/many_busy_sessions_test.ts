import { startTestBalancer } from "../support/balancer.ts";
import { assertFairShares } from "../support/busy_clients.ts";
import { onEachEngine } from "../support/engines.ts";

onEachEngine("of hundreds of sessions that are busy at once each has its share", async (engine) => {
  const echo = new Worker(import.meta.resolve("../support/workers/echo_worker.ts"), { type: "module" });
  const port = await new Promise<number>((resolve) => echo.onmessage = ({ data }) => resolve(data));
  await using balancer = await startTestBalancer({ engine, backends: [`127.0.0.1:${port}`], workers: 1 });
  await assertFairShares(balancer.port);
  await balancer.stop();
  echo.terminate();
});
