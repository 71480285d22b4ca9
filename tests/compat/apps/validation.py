from pydantic import BaseModel

from slimeweb import Slime
from slimeweb.plugin import Cors

app = Slime(__file__)


class Student(BaseModel):
    name: str
    age: int
    marks: int


@app.route(path="/", method="POST", plugin=Cors())
async def land(req, resp):
    req.validate(Student)
    # => this will raise error and return 500 as response


@app.route(path="/errors", method="POST", plugin=Cors())
async def errors(req, resp):
    err = req.validate(Student, raise_err=False)
    # => this will return the pydantic error.
    return resp.json({"err": err})


if __name__ == "__main__":
    app.serve()
