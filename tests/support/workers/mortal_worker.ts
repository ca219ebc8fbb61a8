/** The workers of workers_test.ts. */

import { dieWhenTold } from "./mortal.ts";

dieWhenTold("mortal_worker");
