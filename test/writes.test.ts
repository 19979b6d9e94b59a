// A few lives of a listener that is killed at one in some of its writes; npm run test:faults has more, killed at each.

import { it } from "node:test";
import { killAtEachWrite } from "./faults/writes";

it("a listener that is killed at any of its writes loses no due time and runs none twice", (t) =>
  t.diagnostic(killAtEachWrite(27, 7)));
