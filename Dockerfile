FROM python:3.12-slim AS build
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --wheel-dir /wheels .

FROM python:3.12-slim
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --no-index --find-links=/wheels bidsqsm && rm -rf /wheels
# TemplateFlow's home must be readable by any user; names of atlases and output spaces to bake in:
#   docker build --build-arg ATLASES="MASSP20 SUIT" --build-arg SPACES="MNI152NLin6Asym" .
ARG ATLASES="MASSP20"
ARG SPACES=""
ENV TEMPLATEFLOW_HOME=/opt/templateflow
RUN mkdir -p "$TEMPLATEFLOW_HOME" \
    && if [ -n "$ATLASES" ]; then bidsqsm fetch-templates --atlases $ATLASES; fi \
    && if [ -n "$SPACES" ]; then bidsqsm fetch-templates --output-spaces $SPACES; fi \
    && chmod -R a+rX "$TEMPLATEFLOW_HOME"
ENV PYTHONNOUSERSITE=1
ENTRYPOINT ["bidsqsm"]
